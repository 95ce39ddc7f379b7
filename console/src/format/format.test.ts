import i18next from 'i18next';
import { describe, expect, it } from 'vitest';
import { format } from './format';

const english = format(i18next.t, 'en');
const chinese = format(i18next.getFixedT('zh'), 'zh');

describe('bitrate', () => {
  it.each([
    [0, '0 kb/s'],
    [999, '999 kb/s'],
    [1_000, '1.00 Mb/s'],
    [2_104, '2.10 Mb/s'],
    [123_456, '123.5 Mb/s'],
    [5_620_000, '5.62 Gb/s'],
  ])('%d kb/s', (kbps, text) => expect(english.bitrate(kbps)).toBe(text));
});

describe('duration', () => {
  it.each([
    [-1, '0:00'],
    [5.9, '0:05'],
    [61, '1:01'],
    [3_723, '1:02:03'],
    [86_400, '1 d 0:00:00'],
    [640_000, '7 d 9:46:40'],
  ])('%d s', (seconds, text) => expect(english.duration(seconds)).toBe(text));

  it('speaks Chinese', () => expect(chinese.duration(90_000)).toBe('1 天 1:00:00'));
});

describe('sample rate', () => {
  it.each([
    [44_100, '44.1 kHz'],
    [48_000, '48 kHz'],
  ])('%d Hz', (hertz, text) => expect(english.sampleRate(hertz)).toBe(text));
});

it('tells shares and short times', () => {
  expect([0, 0.004, 0.25].map(english.share)).toEqual(['0 %', '0.4 %', '25 %']);
  expect(english.milliseconds(0.0236)).toBe('24 ms');
});

it('groups large numbers', () => expect(english.number(1_204)).toBe('1,204'));
