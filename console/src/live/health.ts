/** The coloured dot: how a stream is doing, and the reason as a catalogue key with its values. */

export type HealthLevel = 'good' | 'warning' | 'bad' | 'idle';

export type HealthReason =
  | { key: 'health.both' | 'health.videoOnly' | 'health.audioOnly' | 'health.starting' | 'health.nobody' }
  | { key: 'health.silent'; seconds: number }
  | { key: 'health.dropped'; percent: number };

export interface Health {
  level: HealthLevel;
  reason: HealthReason;
}

export interface HealthInput {
  publishing: boolean;
  hasVideo: boolean;
  hasAudio: boolean;
  /** ms since the publisher's last byte. */
  silentMs: number;
  /** kb/s, oldest first. */
  lastMinute: readonly number[];
}

/** A healthy publisher sends something at least this often. */
const SILENCE_MS = 5_000;
/** Below this share of the minute's average the picture suffers or freezes. */
const DROP_SHARE = 0.4;
/** A drop needs a past to compare with. */
const DROP_MIN_POINTS = 8;
const DROP_RECENT_POINTS = 3;

export function health(input: HealthInput): Health {
  if (!input.publishing) return { level: 'idle', reason: { key: 'health.nobody' } };
  if (input.silentMs >= SILENCE_MS) {
    return { level: 'bad', reason: { key: 'health.silent', seconds: Math.round(input.silentMs / 1000) } };
  }
  if (!input.hasVideo && !input.hasAudio) return { level: 'warning', reason: { key: 'health.starting' } };
  const share = recentShare(input.lastMinute);
  if (share !== null && share < DROP_SHARE) {
    return { level: 'warning', reason: { key: 'health.dropped', percent: Math.round(share * 100) } };
  }
  return { level: 'good', reason: { key: tracks(input) } };
}

function tracks({ hasVideo, hasAudio }: HealthInput) {
  if (hasVideo && hasAudio) return 'health.both';
  return hasVideo ? 'health.videoOnly' : 'health.audioOnly';
}

function recentShare(line: readonly number[]): number | null {
  if (line.length < DROP_MIN_POINTS) return null;
  const usual = mean(line);
  return usual > 0 ? mean(line.slice(-DROP_RECENT_POINTS)) / usual : null;
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
