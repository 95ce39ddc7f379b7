/** HLS through Media Source Extensions. */
import Hls, { type ErrorData, ErrorDetails, ErrorTypes } from 'hls.js';
import { VideoMeter } from './meter';
import { NOTHING, type Player, type PlayerProblem, type PlayerStats, type ProblemListener } from './player';
import { Problems, play, problemOfStatus } from './problems';

/** Waits for a playlist or segment before it counts as lost, in ms. */
const PATIENCE_MS = 8_000;
/** Segments to stay behind the newest one. */
const SEGMENTS_BEHIND = 2;

/** True if the browser can run this player; if not, it may know HLS by itself. */
export function supported(): boolean {
  return Hls.isSupported();
}

export function createHlsPlayer(): Player {
  return new HlsPlayer();
}

class HlsPlayer implements Player {
  private readonly problems = new Problems();
  private engine: Hls | null = null;
  private meter: VideoMeter | null = null;
  private recovered = false;

  open(video: HTMLVideoElement, url: string): void {
    this.meter = new VideoMeter(video);
    const engine = new Hls({
      // A worker would be started from a blob, which a strict content policy forbids.
      enableWorker: false,
      liveSyncDurationCount: SEGMENTS_BEHIND,
      maxLiveSyncPlaybackRate: 1.15,
      manifestLoadPolicy: patience(),
      playlistLoadPolicy: patience(),
    });
    this.engine = engine;
    engine.on(Hls.Events.ERROR, (_, error) => this.failed(error));
    engine.on(Hls.Events.MANIFEST_PARSED, () => play(video, this.problems));
    engine.on(Hls.Events.LEVEL_LOADED, (_, { details }) => {
      if (!details.live) this.problems.tell('ended');
    });
    engine.loadSource(url);
    engine.attachMedia(video);
  }

  close(): void {
    this.meter?.stop();
    this.engine?.destroy();
    this.engine = null;
  }

  stats(): PlayerStats {
    if (!this.meter || !this.engine) return NOTHING;
    const { latency } = this.engine;
    return { ...this.meter.read(), behindLive: latency > 0 ? latency : null };
  }

  onProblem(listener: ProblemListener): () => void {
    return this.problems.on(listener);
  }

  private failed(error: ErrorData): void {
    if (!error.fatal) return;
    // One damaged segment is worth one new start of the decoder.
    if (error.type === ErrorTypes.MEDIA_ERROR && !isCodec(error) && !this.recovered) {
      this.recovered = true;
      this.engine?.recoverMediaError();
      return;
    }
    this.problems.tell(problemOf(error));
  }
}

function patience() {
  const retry = { maxNumRetry: 2, retryDelayMs: 1_000, maxRetryDelayMs: 2_000 };
  return {
    default: {
      maxTimeToFirstByteMs: PATIENCE_MS,
      maxLoadTimeMs: PATIENCE_MS,
      timeoutRetry: retry,
      errorRetry: retry,
    },
  };
}

function isCodec({ details }: ErrorData): boolean {
  return (
    details === ErrorDetails.MANIFEST_INCOMPATIBLE_CODECS_ERROR ||
    details === ErrorDetails.BUFFER_ADD_CODEC_ERROR ||
    details === ErrorDetails.BUFFER_INCOMPATIBLE_CODECS_ERROR
  );
}

function problemOf(error: ErrorData): PlayerProblem {
  if (error.type === ErrorTypes.NETWORK_ERROR) return problemOfStatus(error.response?.code ?? 0);
  return isCodec(error) ? 'codec' : 'decode';
}
