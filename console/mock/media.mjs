/** Real media for the mock: ffmpeg's test picture, or what is published by RTMP, as FLV, WS-FLV and HLS. */
import { spawn } from 'node:child_process';
import { createReadStream, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { WebSocketServer } from 'ws';

const CORS = { 'Access-Control-Allow-Origin': '*' };

export function createMedia({ port, rtmpPort, scene }) {
  const directory = mkdtempSync(join(tmpdir(), 'headwater-mock-'));
  const sources = new Map();
  for (const entry of scene.entries.filter((each) => each.plays))
    sources.set(entry.name, testPicture(entry, directory));
  if (rtmpPort) listenRtmp(rtmpPort, directory, sources, scene);

  const server = createServer((request, response) => serve(request, response, sources, directory));
  const sockets = new WebSocketServer({ server });
  sockets.on('connection', (socket, request) => {
    const source = sources.get(nameOf(request.url));
    if (!source) return socket.close();
    const stop = source.watch(
      (bytes) => socket.send(bytes),
      () => socket.close(),
    );
    socket.on('close', stop);
    socket.on('error', stop);
  });
  server.listen(port);
  return {
    /** Bytes received for a stream with real media, else undefined. */
    received: (name) => sources.get(name)?.received,
    stop() {
      for (const source of sources.values()) source.stop();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

function serve(request, response, sources, directory) {
  const path = new URL(request.url, 'http://mock').pathname;
  const name = nameOf(request.url);
  const source = sources.get(name);
  if (path.endsWith('.flv') && source) {
    response.writeHead(200, { ...CORS, 'Content-Type': 'video/x-flv' });
    const stop = source.watch(
      (bytes) => response.write(bytes),
      () => response.end(),
    );
    request.on('close', stop);
    return;
  }
  const file = join(directory, basename(decodeURIComponent(path)));
  if (!/\.(m3u8|ts)$/.test(path) || !existsSync(file)) return void response.writeHead(404, CORS).end();
  const type = path.endsWith('.ts') ? 'video/MP2T' : 'application/vnd.apple.mpegurl';
  response.writeHead(200, { ...CORS, 'Content-Type': type });
  createReadStream(file).pipe(response);
}

function nameOf(url) {
  return basename(decodeURIComponent(new URL(url, 'http://mock').pathname)).replace(/\.(flv|m3u8)$/, '');
}

function testPicture(entry, directory) {
  const inputs = [
    '-re',
    '-f',
    'lavfi',
    '-i',
    'testsrc2=size=640x360:rate=25',
    '-f',
    'lavfi',
    '-i',
    'sine=frequency=440',
  ];
  const encode = [
    '-c:v',
    'libx264',
    '-preset',
    'ultrafast',
    '-tune',
    'zerolatency',
    '-pix_fmt',
    'yuv420p',
    '-g',
    '25',
    '-b:v',
    '600k',
    '-c:a',
    'aac',
  ];
  return ffmpegSource([...inputs, ...encode], entry.name, directory);
}

/** One publisher at a time; listens again when it leaves. */
function listenRtmp(port, directory, sources, scene) {
  const name = 'console-e2e';
  const source = ffmpegSource(
    ['-listen', '1', '-i', `rtmp://127.0.0.1:${port}/live/${name}`, '-c', 'copy'],
    name,
    directory,
    {
      arrived() {
        sources.set(name, source);
        scene.entries.push({
          id: 'vid-e2e0000',
          cid: 'pube2e00',
          name,
          app: 'live',
          vhost: '__defaultVhost__',
          publishing: true,
          received: 0,
          kbps: 600,
          viewers: 2,
          age: 9,
          began: Date.now(),
          kicked: new Set(),
          video: { codec: 'H264', profile: 'High', level: '3', width: 640, height: 360 },
          audio: { codec: 'AAC', sample_rate: 44100, channel: 1, profile: 'LC' },
        });
      },
      left() {
        sources.delete(name);
        scene.entries = scene.entries.filter((entry) => entry.name !== name);
        listenRtmp(port, directory, sources, scene);
      },
    },
  );
}

function ffmpegSource(input, name, directory, { arrived, left } = {}) {
  const hls = [
    '-f',
    'hls',
    '-hls_time',
    '1',
    '-hls_list_size',
    '6',
    '-hls_flags',
    'delete_segments',
    join(directory, `${name}.m3u8`),
  ];
  const map = input.includes('lavfi') ? ['-map', '0:v', '-map', '1:a'] : ['-map', '0'];
  const [outputOptions, inputOptions] = split(input);
  const child = spawn(
    'ffmpeg',
    [
      '-hide_banner',
      '-loglevel',
      'error',
      ...inputOptions,
      ...map,
      ...outputOptions,
      ...hls,
      ...map,
      ...outputOptions,
      '-f',
      'flv',
      '-flvflags',
      'no_duration_filesize',
      'pipe:1',
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  const cache = new FlvCache();
  const watchers = new Set();
  const source = {
    received: 0,
    watch(send, end) {
      for (const tag of cache.start()) send(tag);
      const watcher = { send, end };
      watchers.add(watcher);
      return () => watchers.delete(watcher);
    },
    stop: () => child.kill('SIGKILL'),
  };
  child.stdout.once('data', () => arrived?.());
  child.stdout.on('data', (bytes) => {
    source.received += bytes.length;
    for (const part of cache.push(bytes)) for (const { send } of watchers) send(part);
  });
  child.on('exit', () => {
    for (const { end } of watchers) end();
    left?.();
  });
  return source;
}

/** Input options go before the outputs; everything from the first codec option on belongs to each output. */
function split(options) {
  const at = options.findIndex((option) => option === '-c' || option === '-c:v');
  return [options.slice(at), options.slice(0, at)];
}

/** Keeps header, sequence headers and the current group of pictures, so that a newcomer starts at once. */
class FlvCache {
  rest = Buffer.alloc(0);
  header = null;
  heads = new Map();
  group = [];

  push(bytes) {
    this.rest = Buffer.concat([this.rest, bytes]);
    const parts = [];
    if (!this.header && this.rest.length >= 13) {
      this.header = this.take(13);
      parts.push(this.header);
    }
    while (this.header && this.rest.length >= 11) {
      const size = 15 + this.rest.readUIntBE(1, 3);
      if (this.rest.length < size) break;
      parts.push(this.remember(this.take(size)));
    }
    return parts;
  }

  start() {
    return this.header ? [this.header, ...this.heads.values(), ...this.group] : [];
  }

  take(size) {
    const part = this.rest.subarray(0, size);
    this.rest = this.rest.subarray(size);
    return part;
  }

  remember(tag) {
    const type = tag[0];
    const isHead =
      type === 18 || (tag[12] === 0 && (type === 8 ? tag[11] >> 4 === 10 : (tag[11] & 0x0f) === 7));
    if (isHead) {
      this.heads.set(type, tag);
      return tag;
    }
    if (type === 9 && tag[11] >> 4 === 1) this.group = [];
    this.group.push(tag);
    return tag;
  }
}
