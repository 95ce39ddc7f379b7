/** Runs one player in one `<video>` element: opening, time limit, bounded retries, readings. */
import { type RefObject, useCallback, useEffect, useState } from 'react';
import { diagnose, type Evidence } from '../webrtc/diagnose';
import {
  loadPlayer,
  NOTHING,
  type Player,
  type PlayerProblem,
  type PlayerStats,
  type ProblemListener,
  type Protocol,
} from './index';

/** `idle`: there is nothing to play. */
export type Phase = 'idle' | 'opening' | 'playing' | 'stalled' | 'failed';

export interface Playback {
  phase: Phase;
  /** Why it does not play, or null. Stays while a retry is under way. */
  problem: PlayerProblem | null;
  /** What the browser saw of a problem with WebRTC, or null. */
  evidence: Evidence | null;
  /** Number of the retry that comes next by itself, or 0 if none will. */
  nextAttempt: number;
  stats: PlayerStats;
  /** Starts anew, with all attempts. */
  retry(): void;
}

/** Pauses before the automatic retries; after the last one the reader decides. */
export const RETRY_DELAYS_MS = [1_000, 2_000, 4_000, 8_000, 15_000] as const;

/** Playing this long means that the next failure is a new one. */
const SETTLED_MS = 10_000;
const STATS_MS = 500;

/**
 * A picture must come within this time. HLS has to wait for segments to be cut; WebRTC has limits of its own for each
 * step, which say more.
 */
export const OPEN_TIMEOUT_MS: Record<Protocol, number> = {
  flv: 12_000,
  ws: 12_000,
  hls: 25_000,
  whep: 30_000,
};

const CURABLE: ReadonlySet<PlayerProblem> = new Set(['network', 'ended', 'notFound', 'timeout', 'decode']);

/**
 * Plays `url` with `protocol` in the element of `videoRef`; null plays nothing. A change of `epoch` (a new
 * publisher, say) starts anew.
 */
export function usePlayback(
  videoRef: RefObject<HTMLVideoElement | null>,
  protocol: Protocol,
  url: string | null,
  epoch: string,
): Playback {
  const source = `${protocol} ${url} ${epoch}`;
  const [attempt, setAttempt] = useState({ source, number: 0, serial: 0 });
  const [phase, setPhase] = useState<Phase>('opening');
  const [trouble, setTrouble] = useState<Trouble>(NO_TROUBLE);
  const [stats, setStats] = useState<PlayerStats>(NOTHING);

  // A new source starts with all its attempts, and without the old one's problem.
  if (attempt.source !== source) {
    setAttempt({ source, number: 0, serial: attempt.serial + 1 });
    setTrouble(NO_TROUBLE);
  }
  const { number, serial } = attempt;
  const { problem, evidence } = trouble;

  useEffect(() => {
    const video = videoRef.current;
    if (!video || url === null) {
      setPhase('idle');
      return;
    }
    setPhase('opening');
    setStats(NOTHING);
    return run(video, protocol, url, {
      phase: setPhase,
      stats: setStats,
      settled: () => setAttempt((now) => (now.serial === serial ? { ...now, number: 0 } : now)),
      trouble: (found) => {
        setTrouble(found);
        if (found.problem !== null) setPhase('failed');
      },
    });
  }, [videoRef, protocol, url, serial]);

  const delay = curable(trouble) ? RETRY_DELAYS_MS[number] : undefined;
  const waiting = phase === 'failed' && delay !== undefined;
  useEffect(() => {
    if (!waiting) return;
    const timer = setTimeout(
      () => setAttempt((now) => ({ ...now, number: now.number + 1, serial: now.serial + 1 })),
      delay,
    );
    return () => clearTimeout(timer);
  }, [waiting, delay]);

  const retry = useCallback(() => {
    setTrouble(NO_TROUBLE);
    setAttempt((now) => ({ ...now, number: 0, serial: now.serial + 1 }));
  }, []);

  return { phase, problem, evidence, nextAttempt: waiting ? number + 1 : 0, stats, retry };
}

interface Trouble {
  problem: PlayerProblem | null;
  evidence: Evidence | null;
}

const NO_TROUBLE: Trouble = { problem: null, evidence: null };

function curable({ problem, evidence }: Trouble): boolean {
  if (evidence) return diagnose(evidence).curable;
  return problem !== null && CURABLE.has(problem);
}

interface Reports {
  phase(phase: Phase): void;
  stats(stats: PlayerStats): void;
  trouble(trouble: Trouble): void;
  /** It has played long enough to forget earlier attempts. */
  settled(): void;
}

/** Plays until the returned function is called or a problem ends it. */
function run(video: HTMLVideoElement, protocol: Protocol, url: string, report: Reports): () => void {
  const ending = new AbortController();
  let player: Player | null = null;
  let settling: ReturnType<typeof setTimeout> | undefined;

  const stop = () => {
    ending.abort();
    clearTimeout(opening);
    clearTimeout(settling);
    clearInterval(reading);
    player?.close();
  };
  const fail: ProblemListener = (problem, evidence) => {
    if (ending.signal.aborted) return;
    report.trouble({ problem, evidence: evidence ?? null });
    // A browser that waits for a click has a player worth keeping.
    if (problem !== 'autoplay') stop();
    else clearTimeout(opening);
  };

  const opening = setTimeout(() => fail('timeout'), OPEN_TIMEOUT_MS[protocol]);
  const reading = setInterval(() => player && report.stats(player.stats()), STATS_MS);
  const on = { signal: ending.signal };
  video.addEventListener(
    'playing',
    () => {
      clearTimeout(opening);
      settling ??= setTimeout(report.settled, SETTLED_MS);
      report.trouble(NO_TROUBLE);
      report.phase('playing');
    },
    on,
  );
  video.addEventListener('waiting', () => !video.seeking && report.phase('stalled'), on);

  loadPlayer(protocol).then(
    (loaded) => {
      if (ending.signal.aborted) return;
      player = loaded;
      player.onProblem(fail);
      player.open(video, url);
    },
    () => fail('network'),
  );
  return stop;
}
