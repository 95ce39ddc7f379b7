/** The addresses that an answer names, and from how far each can be reached. */

export interface Candidate {
  protocol: 'udp' | 'tcp';
  /** An address or a name, without brackets. */
  host: string;
  port: number;
}

/**
 * - `loopback`: this computer only
 * - `private`: the same network
 * - `public`: everywhere
 */
export type Reach = 'loopback' | 'private' | 'public';

const LINE = /^a=candidate:\S+ \d+ (udp|tcp) \d+ (\S+) (\d+) typ /i;

/** `a=candidate` lines of an SDP (RFC 8839 5.1), each place once. */
export function candidatesOf(sdp: string): Candidate[] {
  const all = sdp.split(/\r?\n/).flatMap((line) => {
    const [, protocol, host, port] = LINE.exec(line) ?? [];
    if (!protocol || !host) return [];
    return [
      { protocol: protocol.toLowerCase() === 'tcp' ? 'tcp' : 'udp', host, port: Number(port) } as const,
    ];
  });
  const seen = new Set<string>();
  return all.filter((each) => !seen.has(spelled(each)) && seen.add(spelled(each)));
}

/** As people write it: `203.0.113.7:8000/udp`. */
export function spelled({ protocol, host, port }: Candidate): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}/${protocol}`;
}

const LOOPBACK = /^(localhost|.*\.localhost|127\.\d+\.\d+\.\d+|::1)$/i;

/** RFC 1918, 3927, 4193, 6598, link-local IPv6, and names that only a local network knows. */
const PRIVATE = [
  /^10\.\d+\.\d+\.\d+$/,
  /^192\.168\.\d+\.\d+$/,
  /^172\.(1[6-9]|2\d|3[01])\.\d+\.\d+$/,
  /^169\.254\.\d+\.\d+$/,
  /^100\.(6[4-9]|[7-9]\d|1[01]\d|12[0-7])\.\d+\.\d+$/,
  /^f[cd][\da-f]{2}:/i,
  /^fe[89ab][\da-f]:/i,
  /\.(local|lan|home|internal|home\.arpa)$/i,
];

/** How far a host name or address reaches. A name of one word belongs to the local network. */
export function reachOf(host: string): Reach {
  const bare = host.replace(/^\[|\]$/g, '');
  if (LOOPBACK.test(bare)) return 'loopback';
  const oneWord = !bare.includes('.') && !bare.includes(':');
  return oneWord || PRIVATE.some((shape) => shape.test(bare)) ? 'private' : 'public';
}
