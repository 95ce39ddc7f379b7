import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { streamName } from '../media/name';
import { Broadcast, RETRY_DELAYS_MS } from './broadcast';

const TARGET = { name: streamName(undefined, 'live', 'me'), url: 'http://h/rtc/v1/whip/?app=live&stream=me' };
const ANSWER = 'v=0\r\na=candidate:0 1 udp 1 192.0.2.7 8000 typ host\r\n';

class Track extends EventTarget {
  enabled = true;
  stopped = false;
  constructor(
    readonly kind: string,
    readonly id: string,
  ) {
    super();
  }
  stop() {
    this.stopped = true;
  }
  getSettings() {
    return { deviceId: this.id };
  }
  applyConstraints = vi.fn(async () => {});
}

class Peer extends EventTarget {
  static latest: Peer;
  connectionState = 'new';
  iceConnectionState = 'new';
  localDescription = { sdp: 'v=0 offer' };
  senders: { track: Track; replaceTrack: (track: Track) => Promise<void> }[] = [];
  encodings: unknown[] = [];
  constructor() {
    super();
    Peer.latest = this;
  }
  addTransceiver(track: Track, init: { sendEncodings?: unknown[] }) {
    const sender = {
      track,
      replaceTrack: async (fresh: Track) => {
        sender.track = fresh;
      },
      getParameters: () => ({ encodings: [{}] }),
      setParameters: async () => {},
    };
    this.senders.push(sender);
    if (track.kind === 'video') this.encodings = init.sendEncodings ?? [];
    return { setCodecPreferences: () => {} };
  }
  getSenders = () => this.senders;
  createOffer = async () => ({});
  setLocalDescription = async () => {};
  setRemoteDescription = async () => {};
  getStats = async () => new Map();
  close() {}
  becomes(state: string) {
    this.connectionState = state;
    this.dispatchEvent(new Event('connectionstatechange'));
  }
}

let requests: { url: string; method: string; keepalive: boolean }[];
let reply: () => Response;
let refusal: DOMException | null;
const shared = new Track('video', 'screen');

function agreed(): Response {
  const headers = { Location: '/rtc/v1/whip/?token=t&session=a:b' };
  return new Response(ANSWER, { status: 201, headers });
}

beforeEach(() => {
  vi.useFakeTimers();
  requests = [];
  reply = agreed;
  refusal = null;
  const devices = [
    { kind: 'videoinput', deviceId: 'cam', label: 'Camera' },
    { kind: 'audioinput', deviceId: 'mic', label: 'Microphone' },
  ];
  vi.stubGlobal('navigator', {
    mediaDevices: {
      enumerateDevices: async () => devices,
      getUserMedia: async (wish: { video: unknown; audio: unknown }) => {
        if (refusal) throw refusal;
        const tracks = [wish.video && new Track('video', 'cam'), wish.audio && new Track('audio', 'mic')];
        return { getTracks: () => tracks.filter(Boolean) };
      },
      getDisplayMedia: async () => ({ getTracks: () => [shared] }),
    },
  });
  vi.stubGlobal('MediaStream', class {});
  vi.stubGlobal('RTCPeerConnection', Peer);
  vi.stubGlobal('RTCRtpReceiver', { getCapabilities: () => ({ codecs: [] }) });
  vi.stubGlobal('fetch', async (url: string, init: RequestInit) => {
    requests.push({ url, method: init.method ?? 'GET', keepalive: init.keepalive ?? false });
    return init.method === 'POST' ? reply() : new Response('');
  });
});

afterEach(() => {
  vi.useRealTimers();
});

const settle = () => vi.advanceTimersByTimeAsync(0);

async function live(): Promise<Broadcast> {
  const broadcast = new Broadcast();
  await broadcast.capture.show('camera');
  broadcast.start(TARGET);
  await settle();
  Peer.latest.becomes('connected');
  return broadcast;
}

it('offers what is captured, and ends its session by DELETE that outlives the page', async () => {
  const broadcast = await live();
  expect(broadcast.snapshot()).toMatchObject({ phase: 'live', evidence: null });
  expect(Peer.latest.senders.map(({ track }) => track.kind)).toEqual(['audio', 'video']);
  broadcast.stop();
  expect(requests).toEqual([
    { url: TARGET.url, method: 'POST', keepalive: false },
    { url: 'http://h/rtc/v1/whip/?token=t&session=a:b', method: 'DELETE', keepalive: true },
  ]);
  expect(broadcast.snapshot()).toMatchObject({ phase: 'off', since: null });
  expect(broadcast.capture.snapshot().captured).toHaveLength(2);
});

it('gives the devices back', async () => {
  const broadcast = await live();
  const tracks = broadcast.capture.snapshot().captured.map(({ track }) => track as unknown as Track);
  broadcast.release();
  expect(tracks.map(({ stopped }) => stopped)).toEqual([true, true]);
  expect(requests.at(-1)?.method).toBe('DELETE');
});

it('sends three sizes when asked to', async () => {
  const broadcast = new Broadcast();
  await broadcast.capture.show('camera');
  broadcast.choose({ simulcast: true });
  broadcast.start(TARGET);
  expect(Peer.latest.encodings).toMatchObject([{ rid: 'h' }, { rid: 'm' }, { rid: 'l' }]);
});

it('goes on with another picture while it is live, and keeps the sound', async () => {
  const broadcast = await live();
  const [sound] = Peer.latest.senders.map(({ track }) => track);
  await broadcast.capture.show('screen');
  expect(Peer.latest.senders.map(({ track }) => track)).toEqual([sound, shared]);
  expect(requests).toHaveLength(1);
});

it('stays muted when the microphone changes', async () => {
  const broadcast = await live();
  broadcast.capture.mute(true);
  await broadcast.capture.listen('mic');
  const sound = broadcast.capture.snapshot().captured.find(({ of }) => of === 'microphone');
  expect(sound?.track.enabled).toBe(false);
});

describe('a lost connection', () => {
  it('is made anew, a bounded number of times', async () => {
    const broadcast = await live();
    reply = () => new Response('live/me is being published by client x\n', plain(409));
    Peer.latest.becomes('failed');
    expect(broadcast.snapshot()).toMatchObject({
      phase: 'connecting',
      nextAttempt: 1,
      evidence: { lost: true },
    });
    for (const delay of RETRY_DELAYS_MS) await vi.advanceTimersByTimeAsync(delay);
    await settle();
    expect(broadcast.snapshot()).toMatchObject({
      phase: 'off',
      nextAttempt: 0,
      evidence: { refusal: { status: 409 } },
    });
    expect(requests.filter(({ method }) => method === 'POST')).toHaveLength(1 + RETRY_DELAYS_MS.length);
  });

  it('keeps its time on air when it returns', async () => {
    const broadcast = await live();
    const { since } = broadcast.snapshot();
    Peer.latest.becomes('failed');
    await vi.advanceTimersByTimeAsync(RETRY_DELAYS_MS[0]);
    Peer.latest.becomes('connected');
    expect(broadcast.snapshot()).toMatchObject({ phase: 'live', since, evidence: null });
  });
});

it('does not try again by itself what never worked', async () => {
  const broadcast = new Broadcast();
  await broadcast.capture.show('camera');
  reply = () => new Response('WebRTC is off; set `rtc_server { enabled on; }`\n', plain(403));
  broadcast.start(TARGET);
  await settle();
  const reason = 'WebRTC is off; set `rtc_server { enabled on; }`';
  expect(broadcast.snapshot()).toMatchObject({
    phase: 'off',
    evidence: { refusal: { status: 403, reason } },
  });
});

it('gives up on an answer whose addresses stay silent', async () => {
  const broadcast = new Broadcast();
  await broadcast.capture.show('camera');
  broadcast.start(TARGET);
  await vi.advanceTimersByTimeAsync(11_000);
  expect(broadcast.snapshot()).toMatchObject({
    phase: 'off',
    evidence: { stage: 'reaching', session: 'a:b', candidates: [{ host: '192.0.2.7', port: 8000 }] },
  });
});

describe('a device that cannot be had', () => {
  it.each([
    ['NotAllowedError', 'denied'],
    ['NotFoundError', 'absent'],
    ['NotReadableError', 'busy'],
  ])('%s is %s', async (name, problem) => {
    refusal = new DOMException('', name);
    const { capture } = new Broadcast();
    await capture.show('camera');
    expect(capture.snapshot()).toMatchObject({ problem, opening: false, captured: [] });
  });

  it('is what a page over HTTP gets', async () => {
    vi.stubGlobal('navigator', {});
    const { capture } = new Broadcast();
    await capture.show('camera');
    expect(capture.snapshot().problem).toBe('insecure');
  });

  it('is told when it is taken away', async () => {
    const broadcast = await live();
    broadcast.capture.tracks().picture?.dispatchEvent(new Event('ended'));
    expect(broadcast.capture.snapshot().problem).toBe('ended');
  });
});

function plain(status: number): ResponseInit {
  return { status, headers: { 'Content-Type': 'text/plain; charset=utf-8' } };
}
