/** Invented streams: one for every state that the console has to show. */

const H264 = { codec: 'H264', profile: 'High', level: '3.1', width: 1280, height: 720 };
const AAC = { codec: 'AAC', sample_rate: 44100, channel: 2, profile: 'LC' };

const BUSY = [
  {
    name: 'livestream',
    app: 'live',
    kbps: 700,
    viewers: 12,
    age: 4_210,
    video: { ...H264, width: 640, height: 360 },
    plays: true,
  },
  {
    name: 'main-hall',
    app: 'live',
    kbps: 4_600,
    viewers: 1_204,
    age: 92_000,
    video: { ...H264, level: '4', width: 1920, height: 1080 },
    audio: { ...AAC, sample_rate: 48000 },
  },
  {
    name: 'camera-north-entrance',
    app: 'site/cameras',
    kbps: 1_800,
    viewers: 2,
    age: 640_000,
    video: { codec: 'HEVC', profile: 'Main', level: '4', width: 2560, height: 1440 },
    audio: null,
  },
  {
    name: 'radio',
    app: 'audio',
    kbps: 128,
    viewers: 31,
    age: 17_000,
    video: null,
    audio: { codec: 'Opus', sample_rate: 48000, channel: 2, profile: 'Other' },
  },
  {
    name: 'backstage',
    app: 'live',
    vhost: 'studio.example.com',
    kbps: 2_400,
    viewers: 0,
    age: 300,
    dropsAfter: 12,
  },
  { name: 'field-kit-07', app: 'live', kbps: 2_100, viewers: 5, age: 55, silentAfter: 2 },
  { name: 'tomorrow', app: 'live', publishing: false, kbps: 0, viewers: 3, age: 0, video: null, audio: null },
  { name: '课堂直播', app: 'live', vhost: 'studio.example.com', kbps: 1_500, viewers: 48, age: 3_000 },
];

export function createScene(kind) {
  const started = Date.now();
  const streams = { busy: BUSY, one: BUSY.slice(0, 1), locked: BUSY.slice(0, 2) }[kind] ?? [];
  const entries = streams.map((stream, index) => ({
    video: H264,
    audio: AAC,
    vhost: '__defaultVhost__',
    publishing: true,
    received: 0,
    ...stream,
    id: `vid-${String(index).padStart(7, 's')}`,
    cid: `pub${String(index).padStart(5, '0')}`,
    began: started - stream.age * 1_000,
    kicked: new Set(),
  }));
  const scene = { kind, entries };
  setInterval(() => advance(scene.entries, (Date.now() - started) / 1_000), 500).unref();
  return scene;
}

/** Lets half a second of bytes arrive. */
function advance(entries, seconds) {
  for (const entry of entries) {
    if (entry.silentAfter !== undefined && seconds > entry.silentAfter) continue;
    const share = entry.dropsAfter !== undefined && seconds > entry.dropsAfter ? 0.2 : 1;
    const wobble = 0.88 + 0.24 * Math.random();
    entry.received += Math.round((entry.kbps * 125 * share * wobble) / 2);
  }
}
