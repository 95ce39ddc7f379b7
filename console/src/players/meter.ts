/**
 * What can be read from the `<video>` element whatever the protocol: buffer, frames, stalls.
 * Invariant: listens from construction to `stop`, and changes nothing in the element.
 */
import type { PlayerStats } from './player';

export type VideoStats = Omit<PlayerStats, 'behindLive'>;

/** Frames per second are taken over at least this long. */
const FPS_WINDOW_MS = 800;

export class VideoMeter {
  private readonly listening = new AbortController();
  private started = false;
  private stalls = 0;
  private stalledMs = 0;
  private stalledSince: number | null = null;
  private fps = 0;
  private framesAt: { ms: number; frames: number } | null = null;

  constructor(
    private readonly video: HTMLVideoElement,
    private readonly now: () => number = () => performance.now(),
  ) {
    const { signal } = this.listening;
    video.addEventListener('playing', () => this.resume(), { signal });
    video.addEventListener('waiting', () => this.stall(), { signal });
  }

  stop(): void {
    this.listening.abort();
  }

  read(): VideoStats {
    const { total, dropped } = frames(this.video);
    this.measureFps(total);
    const standing = this.stalledSince === null ? 0 : this.now() - this.stalledSince;
    return {
      bufferAhead: bufferAhead(this.video),
      stalls: this.stalls,
      stalledSeconds: (this.stalledMs + standing) / 1000,
      decodedFrames: total,
      droppedFrames: dropped,
      fps: this.fps,
      width: this.video.videoWidth,
      height: this.video.videoHeight,
    };
  }

  private stall(): void {
    // Before the first picture it is opening, during a jump to the live edge it is seeking: neither is a stall.
    if (!this.started || this.video.seeking || this.stalledSince !== null) return;
    this.stalls += 1;
    this.stalledSince = this.now();
  }

  private resume(): void {
    this.started = true;
    if (this.stalledSince === null) return;
    this.stalledMs += this.now() - this.stalledSince;
    this.stalledSince = null;
  }

  private measureFps(total: number): void {
    const ms = this.now();
    const last = this.framesAt;
    if (last && ms - last.ms < FPS_WINDOW_MS) return;
    // The count starts again when the source changes.
    if (last && total >= last.frames) this.fps = ((total - last.frames) * 1000) / (ms - last.ms);
    this.framesAt = { ms, frames: total };
  }
}

/** Newest second in the buffer, or null if there is none. */
export function bufferEnd(video: HTMLVideoElement): number | null {
  const { buffered } = video;
  return buffered.length > 0 ? buffered.end(buffered.length - 1) : null;
}

function bufferAhead(video: HTMLVideoElement): number {
  const { buffered, currentTime } = video;
  for (let range = 0; range < buffered.length; range++) {
    if (buffered.start(range) <= currentTime + 0.1 && currentTime <= buffered.end(range)) {
      return buffered.end(range) - currentTime;
    }
  }
  return 0;
}

function frames(video: HTMLVideoElement): { total: number; dropped: number } {
  if (typeof video.getVideoPlaybackQuality !== 'function') return { total: 0, dropped: 0 };
  const quality = video.getVideoPlaybackQuality();
  return { total: quality.totalVideoFrames, dropped: quality.droppedVideoFrames };
}
