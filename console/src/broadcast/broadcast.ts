/**
 * Publishing from this browser: what is captured goes to a WHIP endpoint until `stop`. One for the whole console, so
 * that a broadcast goes on while its reader looks at other pages; it ends when the console is left.
 */
import type { StreamName } from '../media/name';
import { diagnose, type Evidence } from '../webrtc/diagnose';
import type { Outgoing } from '../webrtc/readings';
import { Capture } from './capture';
import { type SentCodec, sendableCodecs } from './codecs';
import { Publication, type Sending } from './publication';
import { Store } from './store';

/**
 * - `off`: nothing is sent
 * - `connecting`: an offer is out, or the next attempt is waited for
 * - `live`: media flow
 */
export type Phase = 'off' | 'connecting' | 'live';

export interface Target {
  name: StreamName;
  /** WHIP endpoint of the stream. */
  url: string;
}

export interface BroadcastState {
  phase: Phase;
  /** Where it goes, or went when it failed. */
  target: Target | null;
  /** When it went on air, in ms of the browser's clock. */
  since: number | null;
  outgoing: Outgoing | null;
  /** Null takes the one that most viewers can play. */
  codec: SentCodec | null;
  simulcast: boolean;
  /** What the browser saw of the last failure. */
  evidence: Evidence | null;
  /** Number of the attempt that comes next by itself, or 0 if none will. */
  nextAttempt: number;
}

/** Pauses before a lost connection is made anew; after the last one the reader decides. */
export const RETRY_DELAYS_MS = [1_000, 2_000, 4_000, 8_000, 15_000] as const;

const READ_MS = 1_000;

const OFF = { phase: 'off', since: null, outgoing: null, nextAttempt: 0 } as const;

export class Broadcast extends Store<BroadcastState> {
  private publication: Publication | null = null;
  private reading: ReturnType<typeof setInterval> | undefined;
  private retrying: ReturnType<typeof setTimeout> | undefined;
  private attempt = 0;
  private sent: Pick<Sending, 'picture' | 'sound'> = { picture: null, sound: null };

  constructor(readonly capture = new Capture()) {
    super({ ...OFF, target: null, codec: null, simulcast: false, evidence: null });
    capture.subscribe(() => this.follow());
  }

  start(target: Target): void {
    this.attempt = 0;
    this.end();
    this.set({ ...OFF, target, evidence: null });
    this.connect();
  }

  /** Ends the session; the devices stay. */
  stop(): void {
    this.end();
    this.set({ ...OFF, target: null, evidence: null });
  }

  /** Ends the session and gives the devices back. */
  release(): void {
    this.stop();
    this.capture.release();
  }

  /** Before it goes live. */
  choose(choice: Partial<Pick<BroadcastState, 'codec' | 'simulcast'>>): void {
    this.set(choice);
  }

  private connect(): void {
    const { target } = this.snapshot();
    const sending = this.sending();
    if (!target || !(sending.picture || sending.sound)) return;
    this.set({ phase: 'connecting', nextAttempt: 0 });
    const publication = new Publication({
      connected: () => this.connected(),
      failed: (evidence) => this.failed(evidence),
    });
    this.publication = publication;
    this.sent = sending;
    this.reading = setInterval(() => void this.read(publication), READ_MS);
    void publication.open(target.url, sending);
  }

  private connected(): void {
    this.attempt = 0;
    this.set({ phase: 'live', since: this.snapshot().since ?? Date.now(), evidence: null });
  }

  /** What was live comes again by itself; what never was waits for the reader, who has to change something. */
  private failed(evidence: Evidence): void {
    const wasLive = this.snapshot().since !== null;
    this.end();
    const delay = wasLive && diagnose(evidence).curable ? RETRY_DELAYS_MS[this.attempt] : undefined;
    if (delay === undefined) {
      this.set({ ...OFF, evidence });
      return;
    }
    this.attempt += 1;
    this.set({ phase: 'connecting', outgoing: null, evidence, nextAttempt: this.attempt });
    this.retrying = setTimeout(() => this.connect(), delay);
  }

  private end(): void {
    clearInterval(this.reading);
    clearTimeout(this.retrying);
    this.publication?.close();
    this.publication = null;
  }

  /** Devices may change meanwhile: the session goes on with the new ones. */
  private follow(): void {
    const { publication } = this;
    if (!publication) return;
    const sending = this.sending();
    const { picture, sound } = sending;
    if (picture && this.sent.picture && picture !== this.sent.picture) void publication.replace(picture);
    if (sound && this.sent.sound && sound !== this.sent.sound) void publication.replace(sound);
    void publication.resize(sending);
    this.sent = { picture: picture ?? this.sent.picture, sound: sound ?? this.sent.sound };
  }

  private sending(): Sending {
    const { codec, simulcast } = this.snapshot();
    const { size } = this.capture.snapshot();
    return { ...this.capture.tracks(), size, simulcast, codec: codec ?? sendableCodecs()[0] ?? null };
  }

  private async read(publication: Publication): Promise<void> {
    const outgoing = await publication.read();
    if (publication === this.publication) this.set({ outgoing });
  }
}
