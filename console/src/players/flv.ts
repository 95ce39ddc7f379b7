/** HTTP-FLV and WS-FLV through Media Source Extensions; the URL's scheme decides which. */
import mpegts from 'mpegts.js';
import { bufferEnd, VideoMeter } from './meter';
import { NOTHING, type Player, type PlayerProblem, type PlayerStats, type ProblemListener } from './player';
import { Problems, play, problemOfStatus } from './problems';

/** Seconds behind the newest frame where playback speeds up a little, and where it is content again. */
const MOST_BEHIND_S = 1.6;
const CONTENT_BEHIND_S = 0.8;

/** Seconds of played media kept before the browser may drop it. */
const KEEP_PLAYED_S = 20;

export function createFlvPlayer(): Player {
  return new FlvPlayer();
}

class FlvPlayer implements Player {
  private readonly problems = new Problems();
  private engine: mpegts.Player | null = null;
  private video: HTMLVideoElement | null = null;
  private meter: VideoMeter | null = null;

  open(video: HTMLVideoElement, url: string): void {
    if (!mpegts.isSupported()) {
      this.problems.tell('unsupported');
      return;
    }
    mpegts.LoggingControl.enableAll = false;
    this.video = video;
    this.meter = new VideoMeter(video);
    const engine = mpegts.createPlayer({ type: 'flv', isLive: true, url }, LIVE);
    this.engine = engine;
    engine.on(mpegts.Events.ERROR, (type: string, detail: string, info: unknown) =>
      this.problems.tell(problemOf(type, detail, info)),
    );
    engine.on(mpegts.Events.LOADING_COMPLETE, () => this.problems.tell('ended'));
    engine.attachMediaElement(video);
    engine.load();
    play(video, this.problems);
  }

  close(): void {
    this.meter?.stop();
    const { engine } = this;
    this.engine = null;
    if (!engine) return;
    engine.unload();
    engine.detachMediaElement();
    engine.destroy();
  }

  stats(): PlayerStats {
    const { video, meter } = this;
    if (!video || !meter) return NOTHING;
    const newest = bufferEnd(video);
    // The server sends frames the moment it has them, so the newest received one is the live edge.
    return { ...meter.read(), behindLive: newest === null ? null : Math.max(0, newest - video.currentTime) };
  }

  onProblem(listener: ProblemListener): () => void {
    return this.problems.on(listener);
  }
}

const LIVE: mpegts.Config = {
  // A worker would be started from a blob, which a strict content policy forbids.
  enableWorker: false,
  enableStashBuffer: false,
  liveSync: true,
  liveSyncMaxLatency: MOST_BEHIND_S,
  liveSyncTargetLatency: CONTENT_BEHIND_S,
  liveSyncPlaybackRate: 1.15,
  autoCleanupSourceBuffer: true,
  autoCleanupMaxBackwardDuration: KEEP_PLAYED_S * 2,
  autoCleanupMinBackwardDuration: KEEP_PLAYED_S,
};

function problemOf(type: string, detail: string, info: unknown): PlayerProblem {
  if (type === mpegts.ErrorTypes.NETWORK_ERROR) return problemOfStatus(statusOf(info));
  if (detail === mpegts.ErrorDetails.MEDIA_CODEC_UNSUPPORTED) return 'codec';
  // The browser refuses a codec by refusing its source buffer.
  if (detail === mpegts.ErrorDetails.MEDIA_MSE_ERROR && nameOf(info) === 'NotSupportedError') return 'codec';
  return 'decode';
}

function statusOf(info: unknown): number {
  if (typeof info !== 'object' || info === null || !('code' in info)) return 0;
  return typeof info.code === 'number' ? info.code : 0;
}

function nameOf(info: unknown): string {
  if (typeof info !== 'object' || info === null || !('name' in info)) return '';
  return String(info.name);
}
