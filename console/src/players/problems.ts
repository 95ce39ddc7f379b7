import type { Evidence } from '../webrtc/diagnose';
import type { PlayerProblem, ProblemListener } from './player';

/** Listeners of one player's problems. */
export class Problems {
  private readonly listeners = new Set<ProblemListener>();

  on(listener: ProblemListener): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  tell(problem: PlayerProblem, evidence?: Evidence): void {
    for (const listener of this.listeners) listener(problem, evidence);
  }
}

/** What an HTTP status says to a viewer. */
export function problemOfStatus(status: number): PlayerProblem {
  if (status === 404) return 'notFound';
  if (status === 401 || status === 403) return 'refused';
  return 'network';
}

/** Starts playback; a browser that wants a click first becomes a problem, an interrupted start does not. */
export function play(video: HTMLVideoElement, problems: Problems): void {
  video.play().catch((cause: unknown) => {
    if (cause instanceof DOMException && cause.name === 'NotAllowedError') problems.tell('autoplay');
  });
}
