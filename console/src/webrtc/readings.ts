/** What `getStats` counts, as rates and shares between two readings. */

/** A report's entries, of which each browser has some fields. */
export type Entry = Record<string, unknown> & { type: string };

/** What goes out. Null is not known (yet). */
export interface Outgoing {
  /** Sound and pictures, kb/s. */
  kbps: number | null;
  /** Pictures a second that are sent. */
  fps: number | null;
  width: number;
  height: number;
  /** `H264`, `VP8` …, or empty. */
  codec: string;
  /** Share of packets that the server did not get, 0 to 1. */
  loss: number | null;
  /** Seconds there and back. */
  roundTrip: number | null;
  /** What makes the browser send less than was asked for. */
  limitedBy: 'cpu' | 'bandwidth' | null;
}

/** What comes in. */
export interface Incoming {
  packets: number;
  lost: number;
  /** Share of packets lost since the last reading, 0 to 1. */
  loss: number | null;
  decoded: number;
  dropped: number;
  fps: number;
  width: number;
  height: number;
  freezes: number;
  frozenSeconds: number;
  /** Seconds that a picture waits here before it is shown. */
  buffer: number;
  roundTrip: number | null;
}

interface Counted {
  atMs: number;
  bytes: number;
  packets: number;
  lost: number;
  delay: number;
  emitted: number;
  decoded: number;
}

/** Keeps the last reading, so that each next one tells what happened between. */
export class Readings {
  private last: Counted | null = null;

  outgoing(report: Iterable<Entry>, atMs: number): Outgoing {
    const entries = [...report];
    const layers = entries.filter(({ type, kind }) => type === 'outbound-rtp' && kind === 'video');
    const top = layers.reduce<Entry | undefined>(
      (best, each) => (num(each.frameHeight) > num(best?.frameHeight) ? each : best),
      layers[0],
    );
    const all = entries.filter(({ type }) => type === 'outbound-rtp');
    const remote = entries.filter(({ type }) => type === 'remote-inbound-rtp');
    const now = { ...NONE, atMs, bytes: sum(all, 'bytesSent') + sum(all, 'headerBytesSent') };
    const { last } = this;
    this.last = now;
    const seconds = last ? (atMs - last.atMs) / 1000 : 0;
    return {
      kbps: last && seconds > 0 ? (Math.max(0, now.bytes - last.bytes) * 8) / 1000 / seconds : null,
      fps: optional(top?.framesPerSecond),
      width: num(top?.frameWidth),
      height: num(top?.frameHeight),
      codec: codecOf(entries, top),
      loss: worst(remote.map(({ fractionLost }) => optional(fractionLost))),
      roundTrip: roundTripOf(entries, remote),
      limitedBy: limitOf(top),
    };
  }

  incoming(report: Iterable<Entry>, atMs: number): Incoming {
    const entries = [...report];
    const inbound = entries.filter(({ type }) => type === 'inbound-rtp');
    const video = inbound.find(({ kind }) => kind === 'video') ?? inbound[0];
    const now: Counted = {
      atMs,
      bytes: num(video?.bytesReceived),
      packets: num(video?.packetsReceived),
      lost: num(video?.packetsLost),
      delay: num(video?.jitterBufferDelay),
      emitted: num(video?.jitterBufferEmittedCount),
      decoded: num(video?.framesDecoded),
    };
    const last = this.last ?? { ...NONE, atMs };
    this.last = now;
    const emitted = now.emitted - last.emitted;
    const expected = now.packets - last.packets + (now.lost - last.lost);
    return {
      packets: now.packets,
      lost: now.lost,
      loss: expected > 0 ? clamp((now.lost - last.lost) / expected) : null,
      decoded: now.decoded,
      dropped: num(video?.framesDropped),
      fps: num(video?.framesPerSecond) || rate(now, last),
      width: num(video?.frameWidth),
      height: num(video?.frameHeight),
      freezes: num(video?.freezeCount),
      frozenSeconds: num(video?.totalFreezesDuration),
      buffer: emitted > 0 ? (now.delay - last.delay) / emitted : 0,
      roundTrip: roundTripOf(entries, []),
    };
  }
}

const NONE: Counted = { atMs: 0, bytes: 0, packets: 0, lost: 0, delay: 0, emitted: 0, decoded: 0 };

function rate(now: Counted, last: Counted): number {
  const ms = now.atMs - last.atMs;
  return ms > 0 ? ((now.decoded - last.decoded) * 1000) / ms : 0;
}

/** Of the path in use, else as the server's reports tell it. */
function roundTripOf(entries: Entry[], remote: Entry[]): number | null {
  const pairs = entries.filter(({ type }) => type === 'candidate-pair');
  const used = pairs.find(({ nominated, state }) => nominated === true && state === 'succeeded');
  return (
    optional(used?.currentRoundTripTime) ?? worst(remote.map(({ roundTripTime }) => optional(roundTripTime)))
  );
}

function codecOf(entries: Entry[], of: Entry | undefined): string {
  const codec = entries.find(({ type, id }) => type === 'codec' && id === of?.codecId);
  return typeof codec?.mimeType === 'string' ? codec.mimeType.replace(/^\w+\//, '') : '';
}

function limitOf(top: Entry | undefined): Outgoing['limitedBy'] {
  const reason = top?.qualityLimitationReason;
  return reason === 'cpu' || reason === 'bandwidth' ? reason : null;
}

function sum(entries: Entry[], field: string): number {
  return entries.reduce((all, entry) => all + num(entry[field]), 0);
}

function worst(values: (number | null)[]): number | null {
  const known = values.filter((value) => value !== null);
  return known.length > 0 ? Math.max(...known) : null;
}

function optional(value: unknown): number | null {
  return typeof value === 'number' && Number.isFinite(value) ? value : null;
}

function num(value: unknown): number {
  return optional(value) ?? 0;
}

function clamp(share: number): number {
  return Math.min(1, Math.max(0, share));
}
