import { describe, expect, it } from 'vitest';
import type { Candidate } from './candidate';
import { diagnose, type Evidence } from './diagnose';

const udp = (host: string): Candidate => ({ protocol: 'udp', host, port: 8000 });

function evidence(part: Partial<Evidence> = {}): Evidence {
  return {
    purpose: 'play',
    stage: 'reaching',
    lost: false,
    pageHost: 'live.example.com',
    refusal: null,
    candidates: [udp('203.0.113.7')],
    session: 'a:b',
    received: { packets: 0, decoded: 0 },
    codecs: ['VP8', 'VP9', 'H264', 'AV1'],
    ...part,
  };
}

const refused = (status: number, reason = '') =>
  diagnose(evidence({ stage: 'signalling', candidates: [], refusal: { status, reason } }));

describe('an offer that is refused', () => {
  it.each([
    [0, '', 'unreachable'],
    [403, 'WebRTC is off; set `rtc_server { enabled on; }`', 'off'],
    [403, 'WebRTC is off for this vhost; set `rtc { enabled on; }` in it', 'off'],
    [403, 'this stream is not published by WebRTC; set `rtc { rtmp_to_rtc on; }` to play it here', 'off'],
    [403, 'the publish is denied by security', 'forbidden'],
    [401, 'a token is needed', 'forbidden'],
    [409, 'live/cam1 is being published by client x; stop it or use another name', 'busy'],
    [503, 'too many sessions wait for their first packet; is UDP blocked?', 'overloaded'],
    [400, 'the offer cannot be answered: it has no codec that this server knows', 'rejected'],
    [404, '', 'foreign'],
    [200, '', 'foreign'],
  ])('with %i %s is %s', (status, reason, cause) => {
    expect(refused(status, reason)).toMatchObject({ cause, said: reason });
  });

  it('is the codec, where this browser lacks that of the stream', () => {
    const refusal = { status: 400, reason: "the stream's pictures are H265" };
    const cause = (codec: string) => diagnose(evidence({ stage: 'signalling', refusal }), { codec }).cause;
    expect(cause('HEVC')).toBe('codec');
    expect(cause('VP8')).toBe('rejected');
  });

  it('is tried again only if that may help', () => {
    expect(refused(0).curable).toBe(true);
    expect(refused(409, 'busy').curable).toBe(true);
    expect(refused(403, 'no').curable).toBe(false);
  });
});

describe('packets that find no way', () => {
  const cause = (pageHost: string, ...hosts: string[]) =>
    diagnose(evidence({ pageHost, candidates: hosts.map(udp) })).cause;

  it('may be blocked, when the addresses look right', () => {
    expect(cause('live.example.com', '203.0.113.7')).toBe('blocked');
    expect(cause('192.168.1.20', '192.168.1.20')).toBe('blocked');
    expect(cause('localhost', '127.0.0.1')).toBe('blocked');
    expect(cause('live.example.com', '10.0.0.5', '203.0.113.7')).toBe('blocked');
  });

  it('cannot arrive at a private address from outside', () => {
    expect(cause('live.example.com', '10.0.0.5')).toBe('private');
    expect(cause('203.0.113.7', '172.17.0.2', '192.168.0.3')).toBe('private');
    expect(cause('live.example.com', '10.0.0.5', '127.0.0.1')).toBe('private');
  });

  it('cannot arrive at another computer by its loopback address', () => {
    expect(cause('live.example.com', '127.0.0.1')).toBe('loopback');
    expect(cause('192.168.1.20', '127.0.0.1')).toBe('loopback');
  });

  it('do not go through the tunnel that the page came by', () => {
    expect(cause('127.0.0.1', '192.168.1.20')).toBe('tunnel');
  });

  it('may not come back into the own network by its public address', () => {
    expect(cause('192.168.1.20', '203.0.113.7')).toBe('public');
    expect(cause('studio.local', '203.0.113.7')).toBe('public');
  });

  it('have nowhere to go without a candidate', () => {
    expect(cause('live.example.com')).toBe('noCandidate');
  });

  it('reach the server, which is not heard, when it saw them', () => {
    const server = { phase: 'connecting', reason: null, tried: ['udp 198.51.100.4:5000'] };
    expect(diagnose(evidence(), { server }).cause).toBe('oneWay');
    expect(diagnose(evidence(), { server: { ...server, tried: [] } }).cause).toBe('blocked');
  });

  it('are told with the places and the port to open', () => {
    const candidates = [udp('203.0.113.7'), { ...udp('2001:db8::7'), protocol: 'tcp' as const }];
    expect(diagnose(evidence({ candidates })).values).toMatchObject({
      places: '203.0.113.7:8000/udp, [2001:db8::7]:8000/tcp',
      port: 8000,
      host: 'live.example.com',
    });
  });
});

it('tells keys that were not agreed on', () => {
  expect(diagnose(evidence({ stage: 'securing' })).cause).toBe('dtls');
});

it('tells a connection that was lost, in the words of the server if it has any', () => {
  const server = { phase: 'closed', reason: 'no packet for 30 s', tried: [] };
  const lost = evidence({ stage: 'connected', lost: true });
  expect(diagnose(lost, { server })).toMatchObject({
    cause: 'lost',
    said: 'no packet for 30 s',
    curable: true,
  });
  expect(diagnose(lost).said).toBe('');
});

describe('connected without a picture', () => {
  const cause = (codec: string, packets = 0, codecs?: string[]) =>
    diagnose(evidence({ stage: 'connected', received: { packets, decoded: 0 }, ...(codecs && { codecs }) }), {
      codec,
    }).cause;

  it('lacks the codec', () => {
    expect(cause('HEVC')).toBe('codec');
    expect(cause('HEVC', 0, ['H265'])).toBe('silent');
    expect(cause('H264')).toBe('silent');
  });

  it('got nothing, or nothing that can be decoded', () => {
    expect(cause('H264', 0)).toBe('silent');
    expect(cause('H264', 40)).toBe('undecoded');
  });
});
