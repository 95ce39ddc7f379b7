/** Where the server under test is. Missing variables end the run: a test without a server proves nothing. */

export interface Environment {
  /** Origin of the console, without a slash at the end. */
  consoleUrl: string;
  /** RTMP server and app, without a slash at the end. */
  rtmpApp: string;
  app: string;
  /** Origin of the media port. */
  httpUrl: string;
  chromium: string;
  ffmpeg: string;
}

export function environment(): Environment {
  const needed = ['HEADWATER_CONSOLE_URL', 'HEADWATER_RTMP_URL', 'HEADWATER_HTTP_URL'] as const;
  const missing = needed.filter((name) => !process.env[name]);
  if (missing.length > 0) throw new Error(`set ${missing.join(', ')}: see console/e2e/README.md`);
  const [consoleUrl, rtmpUrl, httpUrl] = needed.map((name) => String(process.env[name]).replace(/\/+$/, ''));
  const app = /^rtmp:\/\/[^/]+\/(.+)$/.exec(rtmpUrl ?? '')?.[1] ?? 'live';
  return {
    consoleUrl: consoleUrl ?? '',
    rtmpApp: rtmpUrl?.endsWith(`/${app}`) ? rtmpUrl : `${rtmpUrl}/${app}`,
    app,
    httpUrl: httpUrl ?? '',
    chromium: process.env.HEADWATER_CHROMIUM ?? '/usr/bin/chromium',
    ffmpeg: process.env.HEADWATER_FFMPEG ?? 'ffmpeg',
  };
}
