import { expect, it } from 'vitest';
import { ffmpegFile } from './ffmpeg';

it('leaves a plain address as it is', () => {
  expect(ffmpegFile('rtmp://h/live/cam1')).toMatch(/ rtmp:\/\/h\/live\/cam1$/);
});

it('keeps a shell from reading an address', () => {
  expect(ffmpegFile("rtmp://h/live/a?b=1&c='x")).toMatch(/ 'rtmp:\/\/h\/live\/a\?b=1&c='\\''x'$/);
});
