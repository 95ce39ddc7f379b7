/** A stream as the console shows it: the API's entry joined with its vhost's name and its last minute. */
import type { ApiStream, ApiVhost } from '../api/client';
import { type StreamName, streamName } from '../media/name';
import type { BitrateHistory } from './bitrate';
import { type Health, health } from './health';

export interface LiveStream {
  /** Id of this appearance of the stream; changes when the server restarts. */
  id: string;
  name: StreamName;
  /** Client id of the publisher, or null if nobody publishes. */
  publisher: string | null;
  /** When the publisher began, in ms of the browser's clock, or null if nobody publishes. */
  since: number | null;
  viewers: number;
  /** Times that a viewer was too slow and was moved to the newest key frame. */
  jumps: number;
  video: ApiStream['video'];
  audio: ApiStream['audio'];
  /** kb/s received from the publisher. */
  inKbps: number;
  /** kb/s sent to all viewers together. */
  outKbps: number;
  /** The last minute of `inKbps`, oldest first. */
  lastMinute: readonly number[];
  health: Health;
}

/** Joins what the API says now with what was seen before. Records the new counters in `history`. */
export function liveStreams(streams: ApiStream[], vhosts: ApiVhost[], history: BitrateHistory): LiveStream[] {
  const vhostNames = new Map(vhosts.map((vhost) => [vhost.id, vhost.name]));
  history.forgetAllBut(new Set(streams.map((stream) => stream.id)));
  return streams.map((stream) => liveStream(stream, vhostNames, history));
}

function liveStream(stream: ApiStream, vhostNames: Map<string, string>, history: BitrateHistory): LiveStream {
  const { active, cid } = stream.publish;
  const rate = history.record(stream.id, {
    atMs: stream.live_ms,
    received: stream.recv_bytes,
    sent: stream.send_bytes,
  });
  return {
    id: stream.id,
    name: streamName(vhostNames.get(stream.vhost), stream.app, stream.name),
    publisher: active ? (cid ?? null) : null,
    since: active ? Date.now() - stream.headwater.uptime_s * 1_000 : null,
    viewers: stream.headwater.viewers,
    jumps: stream.headwater.jumps,
    video: stream.video,
    audio: stream.audio,
    inKbps: active ? (rate?.inKbps ?? stream.kbps.recv_30s) : 0,
    outKbps: rate?.outKbps ?? stream.kbps.send_30s,
    lastMinute: history.lastMinute(stream.id),
    health: health({
      publishing: active,
      hasVideo: stream.video !== null,
      hasAudio: stream.audio !== null,
      silentMs: rate?.silentMs ?? 0,
      lastMinute: history.lastMinute(stream.id),
    }),
  };
}
