/**
 * Bitrates from byte counters: the API gives totals, the console wants the last minute as a line.
 * Holds one minute per stream and nothing of streams that left, so memory is bounded by what is live.
 */

/** One reading of a stream's counters, on the server's clock. */
export interface Reading {
  atMs: number;
  received: number;
  sent: number;
}

export interface Rate {
  inKbps: number;
  outKbps: number;
  /** How long no byte has come from the publisher, in ms. */
  silentMs: number;
}

/** Readings closer together than this say more about jitter than about the stream. */
const MIN_GAP_MS = 500;
const WINDOW_MS = 60_000;
/** Rates are taken over about this long, so that one late keyframe does not make the number jump. */
const SMOOTHING_MS = 5_000;

interface Track {
  readings: Reading[];
  line: { atMs: number; kbps: number }[];
  lastByteMs: number;
}

export class BitrateHistory {
  private readonly tracks = new Map<string, Track>();

  /** Adds a reading; the rate is null until two readings are far enough apart. */
  record(id: string, reading: Reading): Rate | null {
    const track = this.trackFor(id, reading);
    const last = track.readings.at(-1);
    if (last && reading.atMs - last.atMs >= MIN_GAP_MS) this.append(track, last, reading);
    return rateOf(track);
  }

  /** kb/s received over the last minute, oldest first. */
  lastMinute(id: string): number[] {
    return this.tracks.get(id)?.line.map((point) => point.kbps) ?? [];
  }

  forgetAllBut(ids: ReadonlySet<string>): void {
    for (const id of this.tracks.keys()) if (!ids.has(id)) this.tracks.delete(id);
  }

  private trackFor(id: string, reading: Reading): Track {
    const known = this.tracks.get(id);
    const last = known?.readings.at(-1);
    // Counters that run backwards mean that the server restarted under the same id.
    if (known && last && reading.received >= last.received && reading.atMs >= last.atMs) return known;
    const fresh = { readings: [reading], line: [], lastByteMs: reading.atMs };
    this.tracks.set(id, fresh);
    return fresh;
  }

  private append(track: Track, last: Reading, reading: Reading): void {
    if (reading.received > last.received) track.lastByteMs = reading.atMs;
    track.line.push({
      atMs: reading.atMs,
      kbps: kbps(reading.received - last.received, reading.atMs - last.atMs),
    });
    track.readings.push(reading);
    track.line = track.line.filter((point) => reading.atMs - point.atMs <= WINDOW_MS);
    track.readings = track.readings.filter((each) => reading.atMs - each.atMs <= SMOOTHING_MS * 2);
  }
}

function rateOf(track: Track): Rate | null {
  const last = track.readings.at(-1);
  if (!last || track.line.length === 0) return null;
  const from = track.readings.find((each) => last.atMs - each.atMs <= SMOOTHING_MS) ?? last;
  const base = from === last ? track.readings.at(-2) : from;
  if (!base) return null;
  const ms = last.atMs - base.atMs;
  return {
    inKbps: kbps(last.received - base.received, ms),
    outKbps: kbps(Math.max(0, last.sent - base.sent), ms),
    silentMs: last.atMs - track.lastByteMs,
  };
}

/** Bytes over milliseconds happen to be kilobytes per second. */
function kbps(bytes: number, ms: number): number {
  return ms > 0 ? Math.round((bytes * 8) / ms) : 0;
}
