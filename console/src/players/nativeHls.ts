/** HLS by the browser itself: iPhones and older iPads, where nothing else can. */
import { VideoMeter } from './meter';
import { NOTHING, type Player, type PlayerProblem, type PlayerStats, type ProblemListener } from './player';
import { Problems, play } from './problems';

export function supported(): boolean {
  return document.createElement('video').canPlayType('application/vnd.apple.mpegurl') !== '';
}

export function createNativeHlsPlayer(): Player {
  return new NativeHlsPlayer();
}

class NativeHlsPlayer implements Player {
  private readonly problems = new Problems();
  private listening = new AbortController();
  private video: HTMLVideoElement | null = null;
  private meter: VideoMeter | null = null;

  open(video: HTMLVideoElement, url: string): void {
    if (!supported()) {
      this.problems.tell('unsupported');
      return;
    }
    this.video = video;
    this.meter = new VideoMeter(video);
    const { signal } = this.listening;
    video.addEventListener('error', () => this.problems.tell(problemOf(video.error)), { signal });
    video.addEventListener('ended', () => this.problems.tell('ended'), { signal });
    video.src = url;
    play(video, this.problems);
  }

  close(): void {
    this.listening.abort();
    this.listening = new AbortController();
    this.meter?.stop();
    this.video?.removeAttribute('src');
    this.video?.load();
    this.video = null;
  }

  stats(): PlayerStats {
    const { video, meter } = this;
    if (!video || !meter) return NOTHING;
    const { seekable, currentTime } = video;
    const newest = seekable.length > 0 ? seekable.end(seekable.length - 1) : null;
    return { ...meter.read(), behindLive: newest === null ? null : Math.max(0, newest - currentTime) };
  }

  onProblem(listener: ProblemListener): () => void {
    return this.problems.on(listener);
  }
}

function problemOf(error: MediaError | null): PlayerProblem {
  switch (error?.code) {
    case MediaError.MEDIA_ERR_DECODE:
      return 'decode';
    // The element says the same for an absent playlist and an unknown codec; the first is far more common.
    case MediaError.MEDIA_ERR_SRC_NOT_SUPPORTED:
      return 'notFound';
    default:
      return 'network';
  }
}
