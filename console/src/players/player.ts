/**
 * The one interface behind which every way of playing a live stream stands. A player owns its connection
 * and its use of the `<video>` element from `open` to `close`; it never shows anything itself.
 */

import type { Evidence } from '../webrtc/diagnose';

export type Protocol = 'flv' | 'ws' | 'hls' | 'whep';
export const PROTOCOLS: readonly Protocol[] = ['flv', 'ws', 'hls', 'whep'];

/**
 * - `notFound`: the server has no such stream in this form
 * - `refused`: it has, but not for this viewer
 * - `network`: no connection, or lost
 * - `ended`: the server closed the stream in good order
 * - `codec`: the browser lacks the codec
 * - `decode`: the browser gave up on the data
 * - `unsupported`: the browser cannot do this protocol at all
 * - `autoplay`: the browser wants a click first
 * - `timeout`: open, but no picture in time
 * - `webrtc`: no session, none any more, or one without pictures: the evidence tells which
 */
export type PlayerProblem =
  | 'notFound'
  | 'refused'
  | 'network'
  | 'ended'
  | 'codec'
  | 'decode'
  | 'unsupported'
  | 'autoplay'
  | 'timeout'
  | 'webrtc';

/** Gets `evidence` with the problem `webrtc`, and with no other. */
export type ProblemListener = (problem: PlayerProblem, evidence?: Evidence) => void;

export interface PlayerStats {
  /** Seconds received and not yet shown. */
  bufferAhead: number;
  /** Seconds between the newest moment the server offers and the one on screen; null until known. */
  behindLive: number | null;
  /** Times the picture stopped for want of data after it had started. */
  stalls: number;
  /** How long it stood still in all, in seconds. */
  stalledSeconds: number;
  decodedFrames: number;
  droppedFrames: number;
  /** Frames decoded per second since the last reading. */
  fps: number;
  width: number;
  height: number;
}

/** Before anything is known. */
export const NOTHING: PlayerStats = {
  bufferAhead: 0,
  behindLive: null,
  stalls: 0,
  stalledSeconds: 0,
  decodedFrames: 0,
  droppedFrames: 0,
  fps: 0,
  width: 0,
  height: 0,
};

export interface Player {
  /** Starts playing `url` in `video`. Problems are told to the listeners, not thrown. */
  open(video: HTMLVideoElement, url: string): void;
  /** Ends everything `open` began. Safe to call twice. */
  close(): void;
  stats(): PlayerStats;
  /** Calls `listener` for each problem until the returned function is called. */
  onProblem(listener: ProblemListener): () => void;
}
