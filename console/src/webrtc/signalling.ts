/** WHIP (RFC 9725) and WHEP over HTTP: an offer is posted, a session's URL is kept, DELETE ends it. */

/** A server that takes longer than this, in ms, counts as not answering. */
const TIMEOUT_MS = 8_000;

/** Characters of a refusal that are kept: a reason, not a proxy's whole page. */
const REASON_MAX = 400;

export interface Agreed {
  /** SDP. */
  answer: string;
  /** URL of the session, for `hangUp`. */
  session: string;
}

/** There is no session. */
export class Refusal extends Error {
  constructor(
    /** HTTP status; 0 if nobody answered. */
    readonly status: number,
    /** What the server says about it, in its own words, or empty. */
    readonly reason: string,
  ) {
    super(`no session (status ${status}): ${reason}`);
    this.name = 'Refusal';
  }
}

/**
 * Posts an offer to a WHIP or WHEP endpoint. Fails with a {@link Refusal}, or with an `AbortError` when `signal`
 * says so.
 */
export async function post(url: string, offer: string, signal: AbortSignal): Promise<Agreed> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'Content-Type': 'application/sdp' },
    body: offer,
    signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]),
  }).catch((cause: unknown) => {
    if (signal.aborted) throw cause;
    throw new Refusal(0, '');
  });
  const text = await response.text().catch(() => '');
  const location = response.headers.get('Location');
  const isAnswer = response.status === 201 && text.startsWith('v=0') && location !== null;
  if (!isAnswer) throw new Refusal(response.status, reasonOf(response, text));
  return { answer: text, session: new URL(location, response.url || url).href };
}

/** Ends a session. Works while the page goes away, and never fails: what is not ended ends by itself. */
export function hangUp(session: string): void {
  fetch(session, { method: 'DELETE', keepalive: true }).catch(() => {});
}

/** A proxy's page says nothing to the reader; the server writes plain text. */
function reasonOf(response: Response, text: string): string {
  const plain = response.headers.get('Content-Type')?.startsWith('text/plain') ?? false;
  return plain ? text.trim().slice(0, REASON_MAX) : '';
}
