/**
 * One WebRTC session, out or in: offer, answer, and a watch over the connection until `close`. Opens once; trying
 * again is a new connection.
 */
import { candidatesOf } from './candidate';
import type { Evidence, Stage } from './diagnose';
import { hangUp, post, Refusal } from './signalling';

/** From the answer to media, in ms. Takes three round trips where nothing is wrong. */
export const CONNECT_LIMIT_MS = 10_000;

/** How long a connection may be silent before it counts as lost, in ms; a phone may be between two networks. */
const SILENCE_LIMIT_MS = 6_000;

export interface ConnectionEvents {
  /** Media may flow. */
  connected(): void;
  /** It is over, and not by `close`. Called once. */
  failed(evidence: Evidence): void;
}

export function supported(): boolean {
  return typeof RTCPeerConnection === 'function';
}

export class Connection {
  readonly peer = new RTCPeerConnection({ bundlePolicy: 'max-bundle' });
  private readonly ending = new AbortController();
  private limit: ReturnType<typeof setTimeout> | undefined;
  private stage: Stage = 'signalling';
  private answer = '';
  private session: string | null = null;

  constructor(
    private readonly purpose: Evidence['purpose'],
    private readonly events: ConnectionEvents,
  ) {}

  /** Offers what was added to `peer` to the endpoint at `url`. */
  async open(url: string): Promise<void> {
    const { peer } = this;
    const { signal } = this.ending;
    peer.addEventListener('connectionstatechange', () => this.watch(), { signal });
    peer.addEventListener('iceconnectionstatechange', () => this.watch(), { signal });
    try {
      await peer.setLocalDescription(await peer.createOffer());
      const { answer, session } = await post(url, peer.localDescription?.sdp ?? '', signal);
      if (signal.aborted) {
        hangUp(session);
        return;
      }
      this.session = session;
      this.answer = answer;
      this.stage = 'reaching';
      this.limit = setTimeout(() => this.fail(), CONNECT_LIMIT_MS);
      await peer.setRemoteDescription({ type: 'answer', sdp: answer });
    } catch (cause) {
      if (signal.aborted) return;
      // An answer that the browser does not take is as good as none.
      this.fail(cause instanceof Refusal ? cause : new Refusal(400, String(cause)));
    }
  }

  /** Ends the session here and on the server. Safe to call twice. */
  close(): void {
    if (this.ending.signal.aborted) return;
    this.ending.abort();
    clearTimeout(this.limit);
    this.peer.close();
    if (this.session) hangUp(this.session);
  }

  /** What is known so far. */
  evidence(refusal: Refusal | null = null): Evidence {
    return {
      purpose: this.purpose,
      stage: this.stage,
      lost: this.stage === 'connected',
      pageHost: window.location.hostname,
      refusal: refusal && { status: refusal.status, reason: refusal.reason },
      candidates: candidatesOf(this.answer),
      session: sessionName(this.session),
      received: { packets: 0, decoded: 0 },
      codecs: receivableCodecs(),
    };
  }

  private watch(): void {
    const { connectionState, iceConnectionState } = this.peer;
    const found = iceConnectionState === 'connected' || iceConnectionState === 'completed';
    if (found && this.stage === 'reaching') this.stage = 'securing';
    switch (connectionState) {
      case 'connected':
        this.connected();
        break;
      case 'disconnected':
        clearTimeout(this.limit);
        this.limit = setTimeout(() => this.fail(), SILENCE_LIMIT_MS);
        break;
      case 'failed':
      case 'closed':
        this.fail();
    }
  }

  private connected(): void {
    clearTimeout(this.limit);
    if (this.stage === 'connected') return;
    this.stage = 'connected';
    this.events.connected();
  }

  private fail(refusal: Refusal | null = null): void {
    if (this.ending.signal.aborted) return;
    const evidence = this.evidence(refusal);
    this.close();
    this.events.failed(evidence);
  }
}

/** How the server's list calls a session, from its URL. */
function sessionName(url: string | null): string | null {
  return url && new URL(url).searchParams.get('session');
}

/** Pictures that this browser can receive, by codec. */
function receivableCodecs(): string[] {
  const all = RTCRtpReceiver.getCapabilities('video')?.codecs ?? [];
  return [...new Set(all.map(({ mimeType }) => mimeType.replace(/^video\//, '')))];
}
