import type { ConsoleInfo } from '../api/client';
import type { MediaServer } from '../media/address';

const DEFAULT_RTMP_PORT = 1935;

/**
 * Where media is, seen from the page at `location`: a page over HTTPS may only load media over HTTPS.
 * `host` replaces the one the reader came by.
 */
export function mediaServer(info: ConsoleInfo, location: Location, host = location.hostname): MediaServer {
  const secure = location.protocol === 'https:';
  return {
    host,
    rtmpPort: info.rtmp_port ?? DEFAULT_RTMP_PORT,
    httpPort: secure ? info.https_port : info.http_port,
    secure,
  };
}
