/**
 * Why a WebRTC session does not work, from what the browser saw, what the server says of the session, and what the
 * stream is. Pure: the words are the page's.
 */
import { type Candidate, type Reach, reachOf, spelled } from './candidate';

/**
 * - `signalling`: no answer to the offer yet
 * - `reaching`: packets look for a way to the server
 * - `securing`: a way is found, keys are agreed on
 * - `connected`: media may flow
 */
export type Stage = 'signalling' | 'reaching' | 'securing' | 'connected';

/** What the browser saw. */
export interface Evidence {
  purpose: 'publish' | 'play';
  /** How far it came. */
  stage: Stage;
  /** It was connected before. */
  lost: boolean;
  /** Host that the page was loaded from. */
  pageHost: string;
  /** What signalling said no with; status 0 is no answer at all. */
  refusal: { status: number; reason: string } | null;
  /** What the answer names. */
  candidates: Candidate[];
  /** Name of the session in the server's list, or null without one. */
  session: string | null;
  /** Packets of pictures that came, and pictures that were decoded from them. */
  received: { packets: number; decoded: number };
  /** Names of the video codecs that this browser receives, as in `video/H264` without the type. */
  codecs: readonly string[];
}

/** What others know. */
export interface Known {
  /** The session in the server's list. */
  server?: { phase: string; reason: string | null; tried: readonly string[] };
  /** Codec of the stream's pictures, as the API names it. */
  codec?: string;
}

export type Cause =
  | 'off'
  | 'busy'
  | 'forbidden'
  | 'overloaded'
  | 'rejected'
  | 'unreachable'
  | 'foreign'
  | 'noCandidate'
  | 'loopback'
  | 'private'
  | 'public'
  | 'tunnel'
  | 'blocked'
  | 'oneWay'
  | 'dtls'
  | 'lost'
  | 'codec'
  | 'silent'
  | 'undecoded';

export interface Diagnosis {
  cause: Cause;
  /** Places that the answer names, and one of their ports, for the words. */
  values: { places: string; port: number; host: string; codec: string };
  /** What the server says, in its own words, or empty. */
  said: string;
  /** Trying again may help without anybody changing anything. */
  curable: boolean;
}

/** The server says in its own words which switch is off; every such text names a block to write. */
const NAMES_A_SWITCH = /\brtc(_server)? ?\{/;

const INCURABLE: ReadonlySet<Cause> = new Set([
  'off',
  'forbidden',
  'rejected',
  'foreign',
  'noCandidate',
  'loopback',
  'private',
  'codec',
]);

export function diagnose(evidence: Evidence, known: Known = {}): Diagnosis {
  const { candidates, refusal } = evidence;
  const cause = causeOf(evidence, known);
  return {
    cause,
    values: {
      places: candidates.map(spelled).join(', '),
      port: candidates[0]?.port ?? 0,
      host: evidence.pageHost,
      codec: known.codec ?? '',
    },
    said: refusal?.reason || (known.server?.reason ?? ''),
    curable: !INCURABLE.has(cause),
  };
}

function causeOf(evidence: Evidence, known: Known): Cause {
  if (evidence.refusal) return refused(evidence.refusal, lacksCodec(evidence, known));
  if (evidence.lost) return 'lost';
  switch (evidence.stage) {
    case 'signalling':
      return 'unreachable';
    case 'reaching':
      return unreached(evidence, known);
    case 'securing':
      return 'dtls';
    case 'connected':
      return unseen(evidence, known);
  }
}

function refused({ status, reason }: { status: number; reason: string }, lacksCodec: boolean): Cause {
  if (status === 0) return 'unreachable';
  if (NAMES_A_SWITCH.test(reason)) return 'off';
  if (status === 409) return 'busy';
  if (status === 401 || status === 403) return 'forbidden';
  if (status === 429 || status === 503) return 'overloaded';
  if (status === 400 && lacksCodec) return 'codec';
  // Headwater gives a reason in plain text with each refusal; a bare status is somebody else's.
  return reason === '' ? 'foreign' : 'rejected';
}

/** No packet came back: whether the addresses can be right tells more than that. */
function unreached({ candidates, pageHost }: Evidence, { server }: Known): Cause {
  if (server && server.tried.length > 0) return 'oneWay';
  if (candidates.length === 0) return 'noCandidate';
  const page = reachOf(pageHost);
  const reaches = new Set(candidates.map(({ host }) => reachOf(host)));
  const only = (reach: Reach) => reaches.size === 1 && reaches.has(reach);
  if (only('loopback') && page !== 'loopback') return 'loopback';
  // The page came by this computer's own address, the media have to come from another one's.
  if (page === 'loopback' && !reaches.has('loopback')) return 'tunnel';
  if (page === 'public' && !reaches.has('public')) return 'private';
  if (page === 'private' && only('public')) return 'public';
  return 'blocked';
}

/** Connected, and nothing to see. */
function unseen(evidence: Evidence, known: Known): Cause {
  const { purpose, received } = evidence;
  if (purpose === 'publish') return 'lost';
  if (lacksCodec(evidence, known)) return 'codec';
  return received.packets > 0 && received.decoded === 0 ? 'undecoded' : 'silent';
}

/** The stream is in a codec that this browser does not receive. */
function lacksCodec({ purpose, codecs }: Evidence, { codec }: Known): boolean {
  if (purpose === 'publish' || !codec || codecs.length === 0) return false;
  return !codecs.some((own) => sameCodec(own, codec));
}

/** The API says HEVC, browsers H265. */
function sameCodec(a: string, b: string): boolean {
  const plain = (name: string) => name.toUpperCase().replace('HEVC', 'H265').replace('AVC', 'H264');
  return plain(a) === plain(b);
}
