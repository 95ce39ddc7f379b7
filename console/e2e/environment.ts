/** Where the server under test is. Missing variables end the run: a test without a server proves nothing. */

export interface Environment {
  /** Origin of the console, without a slash at the end. */
  consoleUrl: string;
  /** RTMP server and app, without a slash at the end. */
  rtmpApp: string;
  app: string;
  /** Origin of the media port. */
  httpUrl: string;
  ffmpeg: string;
}

export function environment(): Environment {
  const [consoleUrl, rtmpUrl, httpUrl] = origins(
    'HEADWATER_CONSOLE_URL',
    'HEADWATER_RTMP_URL',
    'HEADWATER_HTTP_URL',
  );
  const app = /^rtmp:\/\/[^/]+\/(.+)$/.exec(rtmpUrl ?? '')?.[1] ?? 'live';
  return {
    consoleUrl: consoleUrl ?? '',
    rtmpApp: rtmpUrl?.endsWith(`/${app}`) ? rtmpUrl : `${rtmpUrl}/${app}`,
    app,
    httpUrl: httpUrl ?? '',
    ffmpeg: process.env.HEADWATER_FFMPEG ?? 'ffmpeg',
  };
}

/** Values of variables that must be set, without a slash at the end. */
export function origins(...names: string[]): string[] {
  const missing = names.filter((name) => !process.env[name]);
  if (missing.length > 0) throw new Error(`set ${missing.join(', ')}: see console/e2e/README.md`);
  return names.map((name) => String(process.env[name]).replace(/\/+$/, ''));
}
