import { screen, waitFor, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { open } from '../../../test/app';
import { client, json, rtcSession, serve, stream } from '../../../test/server';
import type { Player, PlayerProblem } from '../../players';
import type { Evidence } from '../../webrtc/diagnose';

const BLOCKED: Evidence = {
  purpose: 'play',
  stage: 'reaching',
  lost: false,
  pageHost: 'live.example.com',
  refusal: null,
  candidates: [{ protocol: 'udp', host: '203.0.113.7', port: 8000 }],
  session: 'a:b',
  received: { packets: 0, decoded: 0 },
  codecs: ['H264'],
};

const players = vi.hoisted(() => ({
  opened: [] as { protocol: string; url: string }[],
  closed: 0,
  tell: undefined as ((problem: string, evidence?: Evidence) => void) | undefined,
}));

vi.mock('../../players/index', async (original) => ({
  ...(await original<typeof import('../../players/index')>()),
  loadPlayer: async (protocol: string): Promise<Player> => ({
    open: (_, url) => players.opened.push({ protocol, url }),
    close: () => {
      players.closed += 1;
    },
    stats: () => ({
      bufferAhead: 0.8,
      behindLive: 1.24,
      stalls: 2,
      stalledSeconds: 3.5,
      decodedFrames: 250,
      droppedFrames: 4,
      fps: 25,
      width: 1280,
      height: 720,
    }),
    onProblem: (listener) => {
      players.tell = (problem, evidence) => listener(problem as PlayerProblem, evidence);
      return () => {};
    },
  }),
}));

beforeEach(() => {
  players.opened = [];
  players.closed = 0;
});

const viewer = client({ id: 'play1', type: 'flv-play', publish: false, ip: '203.0.113.9', alive: 10 });
const live = { streams: [stream()], clients: [viewer, client()] };

describe('player', () => {
  it('starts with HTTP-FLV', async () => {
    serve(live);
    open('/streams/live/cam1');
    await waitFor(() =>
      expect(players.opened).toEqual([{ protocol: 'flv', url: 'http://localhost:8080/live/cam1.flv' }]),
    );
    expect(screen.getByLabelText('Live picture of cam1')).toBeVisible();
  });

  it('switches the protocol, closes the old player, and keeps the choice in the address', async () => {
    const user = userEvent.setup();
    serve(live);
    open('/streams/live/cam1');
    await user.click(await screen.findByRole('radio', { name: 'HLS' }));
    await waitFor(() =>
      expect(players.opened.at(-1)).toEqual({ protocol: 'hls', url: 'http://localhost:8080/live/cam1.m3u8' }),
    );
    expect(players.closed).toBe(1);
    expect(window.location.search).toBe('?player=hls');
  });

  it('opens with the protocol of the address', async () => {
    serve(live);
    open('/streams/live/cam1?player=ws');
    await waitFor(() =>
      expect(players.opened).toEqual([{ protocol: 'ws', url: 'ws://localhost:8080/live/cam1.flv' }]),
    );
    expect(screen.getByRole('radio', { name: 'WS-FLV' })).toBeChecked();
  });

  it('reads out latency and stalls', async () => {
    serve(live);
    open('/streams/live/cam1');
    expect(await screen.findByText('1.2 s')).toBeVisible();
    expect(screen.getByText('2 (3.5 s)')).toBeVisible();
    expect(screen.getByText('25 fps')).toBeVisible();
  });

  it('says why it does not play and what to do, and plays again on request', async () => {
    const user = userEvent.setup();
    serve(live);
    open('/streams/live/cam1');
    await waitFor(() => expect(players.opened).toHaveLength(1));
    players.tell?.('codec');
    expect(await screen.findByText('This browser cannot play the codec of this stream')).toBeVisible();
    await user.click(screen.getByRole('button', { name: 'Try again' }));
    await waitFor(() => expect(players.opened).toHaveLength(2));
  });

  it('announces the retry of what may pass by itself', async () => {
    serve(live);
    open('/streams/live/cam1');
    await waitFor(() => expect(players.opened).toHaveLength(1));
    players.tell?.('network');
    expect(await screen.findByText(/attempt 1 of 5/)).toBeVisible();
    await waitFor(() => expect(players.opened).toHaveLength(2), { timeout: 3_000 });
  });

  it('explains a server without media over HTTP', async () => {
    serve({
      ...live,
      console: {
        version: '1',
        rtmp_port: 1935,
        http_port: null,
        https_port: null,
        api_port: 1985,
        hls_fragment_s: 2,
      },
    });
    open('/streams/live/cam1');
    expect(await screen.findByText('Media over HTTP is turned off')).toBeVisible();
    expect(players.opened).toEqual([]);
  });
});

describe('clients', () => {
  it('stand with the publisher first', async () => {
    serve(live);
    open('/streams/live/cam1');
    const [first, second] = within(await screen.findByRole('table'))
      .getAllByRole('row')
      .slice(1);
    expect(first).toHaveTextContent('Publisher');
    expect(second).toHaveTextContent('203.0.113.9');
  });

  it('are disconnected after a second thought', async () => {
    const user = userEvent.setup();
    const requests = serve(live);
    open('/streams/live/cam1');
    await user.click(await screen.findByRole('button', { name: 'Disconnect HTTP-FLV from 203.0.113.9' }));
    expect(requests.some((request) => request.method === 'DELETE')).toBe(false);
    await user.click(screen.getByRole('button', { name: 'Really disconnect' }));
    await waitFor(() => expect(requests.filter((request) => request.method === 'DELETE')).toHaveLength(1));
  });

  it('stay, with what to do, if the server wants credentials', async () => {
    const user = userEvent.setup();
    serve({ ...live, kick: () => new Response('', { status: 401 }) });
    open('/streams/live/cam1');
    await user.click(await screen.findByRole('button', { name: /Disconnect RTMP/ }));
    await user.click(screen.getByRole('button', { name: 'Really disconnect' }));
    expect(await screen.findByText('The server asks who you are')).toBeVisible();
    expect(screen.getByText(/ssh -L 2022/)).toBeVisible();
    expect(screen.getByRole('button', { name: 'Sign in' })).toBeVisible();
  });

  it('may be gone already', async () => {
    const user = userEvent.setup();
    serve({ ...live, kick: () => json({ code: 2049 }) });
    open('/streams/live/cam1');
    await user.click(await screen.findByRole('button', { name: /Disconnect RTMP/ }));
    await user.click(screen.getByRole('button', { name: 'Really disconnect' }));
    expect(await screen.findByText('It is gone already')).toBeVisible();
  });
});

describe('WebRTC', () => {
  const watcher = client({ id: 'rtc1', type: 'rtc-play', publish: false, ip: '198.51.100.2', alive: 5 });

  it('plays from where the page came', async () => {
    serve(live);
    open('/streams/live/cam1?player=whep');
    await waitFor(() =>
      expect(players.opened).toEqual([
        { protocol: 'whep', url: 'http://localhost:3000/rtc/v1/whep/?app=live&stream=cam1' },
      ]),
    );
  });

  it('says why it does not connect, with the server’s words for this session', async () => {
    const waiting = rtcSession({
      session: 'a:b',
      phase: 'closed',
      reason: 'no STUN request came',
      tried: [],
    });
    serve({ ...live, rtc: { sessions: [], failed: [waiting] } });
    open('/streams/live/cam1?player=whep');
    await waitFor(() => expect(players.opened).toHaveLength(1));
    players.tell?.('webrtc', BLOCKED);
    expect(await screen.findByText('No packet comes back from 203.0.113.7:8000/udp')).toBeVisible();
    expect(screen.getByText(/Open UDP port 8000/)).toBeVisible();
    expect(await screen.findByText('The server says: no STUN request came')).toBeVisible();
    expect(screen.getByText(/attempt 1 of 5/)).toBeVisible();
  });

  it('does not try again what the reader has to change', async () => {
    serve(live);
    open('/streams/live/cam1?player=whep');
    await waitFor(() => expect(players.opened).toHaveLength(1));
    const reason = 'WebRTC is off; set `rtc_server { enabled on; }`';
    players.tell?.('webrtc', { ...BLOCKED, stage: 'signalling', refusal: { status: 403, reason } });
    expect(await screen.findByText('WebRTC is turned off on the server')).toBeVisible();
    expect(screen.getByText(`The server says: ${reason}`)).toBeVisible();
    expect(screen.queryByText(/attempt/)).toBeNull();
  });

  it('tells of its viewers what others have not, and of those who failed', async () => {
    const failed = rtcSession({ id: 'rtc9', phase: 'closed', reason: 'DTLS timed out' });
    serve({ ...live, clients: [watcher, client()], rtc: { sessions: [rtcSession()], failed: [failed] } });
    open('/streams/live/cam1');
    const facts =
      'H264 1.20 Mb/s · 2.0 % lost · 3 packets asked for again · 24 ms round trip · udp 198.51.100.2:5000';
    expect(await screen.findByText(facts)).toBeVisible();
    expect(screen.getByText('Viewer, udp 198.51.100.2:5000: DTLS timed out')).toBeVisible();
  });
});

it('tells how to publish a stream that is not live', async () => {
  serve({});
  open('/streams/site/hall/cam9');
  expect(await screen.findByText('This stream is not live')).toBeVisible();
  const server = (_: string, element: Element | null) =>
    element?.tagName === 'CODE' && element.textContent === 'rtmp://localhost/site/hall';
  expect(await screen.findByText(server)).toBeVisible();
});
