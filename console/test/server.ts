/** A server made of canned answers, in place of `fetch`. */
import { vi } from 'vitest';
import type {
  ApiClient,
  ApiStream,
  ApiVhost,
  ConsoleInfo,
  RtcSession,
  RtcSessionList,
} from '../src/api/client';

export const CONSOLE: ConsoleInfo = {
  version: '1.2.3',
  rtmp_port: 1935,
  http_port: 8080,
  https_port: null,
  api_port: 1985,
  hls_fragment_s: 2,
};

export const VHOST: ApiVhost = vhost('vid-1', '__defaultVhost__');

export function vhost(id: string, name: string): ApiVhost {
  return {
    id,
    name,
    enabled: true,
    clients: 0,
    streams: 1,
    recv_bytes: 0,
    send_bytes: 0,
    kbps: { recv_30s: 0, send_30s: 0 },
    hls: { enabled: true, fragment: 2 },
  };
}

const timeline: ApiStream['headwater']['timeline'] = {
  leaps: 0,
  steps_back: 0,
  wraps: 0,
  reordered: 0,
  largest_ms: 0,
  av_offset_ms: -12,
  drift_ms: 3,
};

export function stream(part: Partial<ApiStream> = {}): ApiStream {
  return {
    id: 'vid-s1',
    name: 'cam1',
    vhost: 'vid-1',
    app: 'live',
    tcUrl: 'rtmp://h/live',
    url: '/live/cam1',
    live_ms: 1_700_000_000_000,
    clients: 3,
    frames: 750,
    send_bytes: 4_096,
    recv_bytes: 90_000,
    kbps: { recv_30s: 2_100, send_30s: 4_200 },
    publish: { active: true, cid: 'pub1' },
    audio_frames: 1_000,
    video_frames: 750,
    headwater: {
      uptime_s: 3_723.5,
      viewers: 2,
      jumps: 0,
      cached_bytes: 500_000,
      publisher_type: 'fmle-publish',
      timeline,
    },
    video: { codec: 'H264', profile: 'High', level: '3.1', width: 1280, height: 720 },
    audio: { codec: 'AAC', sample_rate: 44_100, channel: 2, profile: 'LC' },
    ...part,
  };
}

export function client(part: Partial<ApiClient> = {}): ApiClient {
  return {
    id: 'pub1',
    vhost: 'vid-1',
    stream: 'vid-s1',
    ip: '198.51.100.7',
    pageUrl: '',
    swfUrl: '',
    tcUrl: 'rtmp://h/live',
    url: '/live/cam1',
    name: 'cam1',
    type: 'fmle-publish',
    publish: true,
    alive: 3_723.5,
    send_bytes: 0,
    recv_bytes: 0,
    kbps: { recv_30s: 2_100, send_30s: 0 },
    ...part,
  };
}

/** What Headwater tells beyond SRS, of a stream with this many viewers. */
export function more(viewers: number, uptime: number): ApiStream['headwater'] {
  return { uptime_s: uptime, viewers, jumps: 0, cached_bytes: 0, publisher_type: '', timeline };
}

const NO_SESSIONS = { sessions: [], failed: [] };

const VIDEO_TRACK: RtcSession['tracks'][number] = {
  mid: '1',
  rid: null,
  kind: 'video',
  codec: 'H264',
  packets: 100,
  bytes: 90_000,
  bitrate_bps: 1_200_000,
  loss: 0.02,
  lost: 2,
  repaired: 1,
  nacks: 3,
  plis: 1,
  firs: 0,
  jitter_ms: 4,
};

export function rtcSession(part: Partial<RtcSession> = {}): RtcSession {
  return {
    id: 'rtc1',
    session: 'local:remote',
    kind: 'rtc-play',
    stream: 'live/cam1',
    phase: 'connected',
    reason: null,
    candidates: ['udp 192.0.2.7 8000'],
    remote: 'udp 198.51.100.2:5000',
    tried: ['udp 198.51.100.2:5000'],
    rtt_ms: 23.6,
    age_ms: 5_000,
    srtp: 'AEAD_AES_128_GCM',
    estimate_bps: null,
    level: 'full',
    layer: null,
    tracks: [VIDEO_TRACK],
    ...part,
  };
}

export interface Answers {
  streams?: ApiStream[];
  vhosts?: ApiVhost[];
  clients?: ApiClient[];
  console?: ConsoleInfo;
  rtc?: Pick<RtcSessionList, 'sessions' | 'failed'>;
  /** Answer of DELETE /api/v1/clients/{id}. */
  kick?: (request: Request) => Response;
}

export function json(body: unknown, status = 200): Response {
  return new Response(JSON.stringify(body), { status, headers: { 'Content-Type': 'application/json' } });
}

/** Answers like the server; returns the requests as they come. */
export function serve(answers: Answers): Request[] {
  const requests: Request[] = [];
  vi.stubGlobal('fetch', async (input: RequestInfo | URL, init?: RequestInit) => {
    const request = input instanceof Request ? input : new Request(input, init);
    requests.push(request);
    return reply(new URL(request.url).pathname, request, answers);
  });
  return requests;
}

function reply(path: string, request: Request, answers: Answers): Response {
  const { streams = [], vhosts = [VHOST], clients = [], kick } = answers;
  if (request.method === 'DELETE') return kick?.(request) ?? json({ code: 0 });
  if (path === '/api/v1/console') return json(answers.console ?? CONSOLE);
  if (path === '/api/v1/vhosts/') return json({ code: 0, vhosts });
  if (path === '/api/v1/rtc/sessions/') return json({ code: 0, ...(answers.rtc ?? NO_SESSIONS) });
  if (path === '/api/v1/streams/') return json({ code: 0, streams });
  if (path === '/api/v1/clients/') return json({ code: 0, clients });
  const found = clients.find((each) => path.endsWith(`/${each.id}`));
  return json(found ? { code: 0, client: found } : { code: 2049 });
}
