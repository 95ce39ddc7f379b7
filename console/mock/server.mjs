/**
 * A stand-in for the server, for work on the console without it: the API with invented streams, and real
 * media from ffmpeg for those that play. Not a reference for how the server behaves.
 *
 *   npm run dev    mock API and media, and the console from its sources on :5173
 *   npm run mock   mock API and media, and the built console from dist/ on :2122
 *
 * MOCK_SCENE: busy (default), empty, one, down, locked.  MOCK_RTMP=1 takes publishes by RTMP on :19350.
 */
import { createReadStream, existsSync, statSync } from 'node:fs';
import { createServer } from 'node:http';
import { extname, join, normalize } from 'node:path';
import { createApi } from './api.mjs';
import { createMedia } from './media.mjs';
import { createScene } from './scene.mjs';

const CONSOLE_PORT = Number(process.env.MOCK_CONSOLE_PORT ?? 2122);
const HTTP_PORT = Number(process.env.MOCK_HTTP_PORT ?? 18080);
const RTMP_PORT = Number(process.env.MOCK_RTMP_PORT ?? 19350);
const dist = new URL('../dist', import.meta.url).pathname;

const scene = createScene(process.env.MOCK_SCENE ?? 'busy');
const media = createMedia({ port: HTTP_PORT, rtmpPort: process.env.MOCK_RTMP ? RTMP_PORT : null, scene });
const api = createApi({
  scene,
  media,
  rtmpPort: process.env.MOCK_RTMP ? RTMP_PORT : 1935,
  httpPort: HTTP_PORT,
});

const TYPES = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
};

/** What the real server is asked to send with the console. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "media-src 'self' blob: http: https:",
  "connect-src 'self' http: https: ws: wss:",
  "font-src 'self'",
  "base-uri 'none'",
  "form-action 'self'",
  "frame-ancestors 'none'",
].join('; ');

function serveConsole(request, response) {
  const path = normalize(decodeURIComponent(new URL(request.url, 'http://mock').pathname));
  let file = join(dist, path);
  if (path.includes('..') || !existsSync(file) || !statSync(file).isFile()) file = join(dist, 'index.html');
  response.writeHead(200, {
    'Content-Type': TYPES[extname(file)] ?? 'application/octet-stream',
    'Content-Security-Policy': POLICY,
  });
  createReadStream(file).pipe(response);
}

const server = createServer((request, response) => {
  if (request.url.startsWith('/api/')) return api(request, response);
  serveConsole(request, response);
});
server.listen(CONSOLE_PORT, () =>
  console.log(`mock console http://127.0.0.1:${CONSOLE_PORT}/ media :${HTTP_PORT}`),
);

if (process.argv.includes('--dev')) {
  const { createServer: vite } = await import('vite');
  const dev = await vite({ configFile: new URL('../vite.config.ts', import.meta.url).pathname });
  await dev.listen();
  dev.printUrls();
}

for (const signal of ['SIGINT', 'SIGTERM']) {
  process.on(signal, () => {
    media.stop();
    process.exit(0);
  });
}
