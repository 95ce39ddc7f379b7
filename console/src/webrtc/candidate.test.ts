import { describe, expect, it } from 'vitest';
import { candidatesOf, reachOf, spelled } from './candidate';

const ANSWER = [
  'v=0',
  'm=audio 9 UDP/TLS/RTP/SAVPF 111',
  'a=candidate:0 1 udp 2130706431 203.0.113.7 8000 typ host generation 0',
  'a=candidate:1 1 tcp 2130706431 2001:db8::7 443 typ host tcptype passive',
  'a=end-of-candidates',
  'm=video 9 UDP/TLS/RTP/SAVPF 96',
  'a=candidate:0 1 udp 2130706431 203.0.113.7 8000 typ host generation 0',
  '',
].join('\r\n');

it('reads the places of an answer, each once', () => {
  expect(candidatesOf(ANSWER).map(spelled)).toEqual(['203.0.113.7:8000/udp', '[2001:db8::7]:443/tcp']);
  expect(candidatesOf('v=0\r\na=candidate:nonsense\r\n')).toEqual([]);
});

describe('reach', () => {
  it.each([
    ['localhost', 'loopback'],
    ['127.0.0.1', 'loopback'],
    ['[::1]', 'loopback'],
    ['10.1.2.3', 'private'],
    ['172.16.0.1', 'private'],
    ['172.32.0.1', 'public'],
    ['192.168.1.20', 'private'],
    ['100.64.0.1', 'private'],
    ['100.128.0.1', 'public'],
    ['169.254.1.1', 'private'],
    ['fd00::1', 'private'],
    ['fe80::1', 'private'],
    ['2001:db8::1', 'public'],
    ['203.0.113.7', 'public'],
    ['nas', 'private'],
    ['studio.local', 'private'],
    ['live.example.com', 'public'],
  ])('of %s is %s', (host, reach) => {
    expect(reachOf(host)).toBe(reach);
  });
});
