/** Publish and play addresses of a stream. Spells them only; asks nobody. */
import { DEFAULT_VHOST, type StreamName } from './name';

const DEFAULT_RTMP_PORT = 1935;

export interface MediaServer {
  /** As in a URL: a name, an IPv4 address, or an IPv6 address in brackets. */
  host: string;
  rtmpPort: number;
  /** Port of HTTP-FLV, WS-FLV and HLS, or null if the server does not offer them on this scheme. */
  httpPort: number | null;
  /** Media over TLS: needed when the console itself came over HTTPS. */
  secure: boolean;
}

export interface PublishAddress {
  /** OBS: "Server". */
  server: string;
  /** OBS: "Stream Key". */
  key: string;
  /** Both in one, as ffmpeg wants it. */
  url: string;
}

export interface PlayAddresses {
  rtmp: string;
  flv: string | null;
  ws: string | null;
  hls: string | null;
  whep: string | null;
}

export function publishAddress(media: MediaServer, name: StreamName): PublishAddress {
  const server = `rtmp://${media.host}${port(media.rtmpPort, DEFAULT_RTMP_PORT)}/${path(name.app)}`;
  const key = path(name.stream) + vhostQuery(name);
  return { server, key, url: `${server}/${key}` };
}

export function playAddresses(media: MediaServer, name: StreamName): PlayAddresses {
  return {
    rtmp: publishAddress(media, name).url,
    flv: httpAddress(media, name, media.secure ? 'https' : 'http', 'flv'),
    ws: httpAddress(media, name, media.secure ? 'wss' : 'ws', 'flv'),
    hls: httpAddress(media, name, media.secure ? 'https' : 'http', 'm3u8'),
    whep: signalling(media, name, 'whep'),
  };
}

/** Where programs publish by WebRTC, or null if the server offers no HTTP on this scheme. */
export function whipAddress(media: MediaServer, name: StreamName): string | null {
  return signalling(media, name, 'whip');
}

/**
 * WebRTC's signalling for this page itself: the port that it came from answers it, too, and is sure to be reachable.
 */
export function signallingAddress(origin: string, name: StreamName, way: 'whip' | 'whep'): string {
  const query = [`app=${path(name.app)}`, `stream=${path(name.stream)}`];
  if (name.vhost !== DEFAULT_VHOST) query.push(`vhost=${encodeURIComponent(name.vhost)}`);
  return `${origin}/rtc/v1/${way}/?${query.join('&')}`;
}

function signalling(media: MediaServer, name: StreamName, way: 'whip' | 'whep'): string | null {
  const origin = httpOrigin(media, media.secure ? 'https' : 'http');
  return origin && signallingAddress(origin, name, way);
}

function httpAddress(media: MediaServer, name: StreamName, scheme: string, extension: string): string | null {
  const origin = httpOrigin(media, scheme);
  return origin && `${origin}/${path(name.app)}/${path(name.stream)}.${extension}${vhostQuery(name)}`;
}

function httpOrigin({ host, httpPort, secure }: MediaServer, scheme: string): string | null {
  return httpPort === null ? null : `${scheme}://${host}${port(httpPort, secure ? 443 : 80)}`;
}

function port(value: number, usual: number): string {
  return value === usual ? '' : `:${value}`;
}

/** Each segment escaped, slashes kept: an app may have several levels. */
function path(text: string): string {
  return text.split('/').map(encodeURIComponent).join('/');
}

function vhostQuery({ vhost }: StreamName): string {
  return vhost === DEFAULT_VHOST ? '' : `?vhost=${encodeURIComponent(vhost)}`;
}
