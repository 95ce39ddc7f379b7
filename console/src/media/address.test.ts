import { describe, expect, it } from 'vitest';
import { type MediaServer, playAddresses, publishAddress, signallingAddress, whipAddress } from './address';
import { streamName } from './name';

const HOME: MediaServer = { host: 'media.example.com', rtmpPort: 1935, httpPort: 8080, secure: false };
const CAM = streamName(undefined, 'live', 'cam1');

describe('publish address', () => {
  it('is split as OBS asks for it', () => {
    expect(publishAddress(HOME, CAM)).toEqual({
      server: 'rtmp://media.example.com/live',
      key: 'cam1',
      url: 'rtmp://media.example.com/live/cam1',
    });
  });

  it('names a port and a vhost where they are not the usual ones', () => {
    const { server, key } = publishAddress(
      { ...HOME, rtmpPort: 2935 },
      streamName('studio.example.com', 'live', 'a'),
    );
    expect([server, key]).toEqual(['rtmp://media.example.com:2935/live', 'a?vhost=studio.example.com']);
  });
});

describe('play addresses', () => {
  it('have one form a protocol', () => {
    expect(playAddresses(HOME, CAM)).toEqual({
      rtmp: 'rtmp://media.example.com/live/cam1',
      flv: 'http://media.example.com:8080/live/cam1.flv',
      ws: 'ws://media.example.com:8080/live/cam1.flv',
      hls: 'http://media.example.com:8080/live/cam1.m3u8',
      whep: 'http://media.example.com:8080/rtc/v1/whep/?app=live&stream=cam1',
    });
  });

  it('use TLS when the page came by it', () => {
    const { flv, ws } = playAddresses({ ...HOME, secure: true, httpPort: 443 }, CAM);
    expect([flv, ws]).toEqual([
      'https://media.example.com/live/cam1.flv',
      'wss://media.example.com/live/cam1.flv',
    ]);
  });

  it('are absent without a media port', () => {
    expect(playAddresses({ ...HOME, httpPort: null }, CAM)).toMatchObject({ flv: null, ws: null, hls: null });
  });

  it('keep an app of several levels and escape the rest', () => {
    const { hls } = playAddresses(HOME, streamName(undefined, 'site/hall', 'a b?c'));
    expect(hls).toBe('http://media.example.com:8080/site/hall/a%20b%3Fc.m3u8');
  });
});

describe('signalling of WebRTC', () => {
  it('is asked for where a page came from', () => {
    const name = streamName('studio.example.com', 'site/hall', 'a b&c');
    expect(signallingAddress('https://h:2443', name, 'whep')).toBe(
      'https://h:2443/rtc/v1/whep/?app=site/hall&stream=a%20b%26c&vhost=studio.example.com',
    );
  });

  it('has an address for programs, on the media port', () => {
    expect(whipAddress({ ...HOME, secure: true, httpPort: 443 }, CAM)).toBe(
      'https://media.example.com/rtc/v1/whip/?app=live&stream=cam1',
    );
    expect(whipAddress({ ...HOME, httpPort: null }, CAM)).toBeNull();
  });
});
