import { beforeEach, describe, expect, it } from 'vitest';
import { VideoMeter } from './meter';

let video: HTMLVideoElement;
let nowMs: number;
let meter: VideoMeter;

/** What jsdom's video lacks. */
function set(name: string, value: unknown) {
  Object.defineProperty(video, name, { value, configurable: true });
}

function buffered(...ranges: [number, number][]) {
  set('buffered', {
    length: ranges.length,
    start: (index: number) => ranges[index]?.[0],
    end: (index: number) => ranges[index]?.[1],
  });
}

function frames(total: number, dropped = 0) {
  set('getVideoPlaybackQuality', () => ({ totalVideoFrames: total, droppedVideoFrames: dropped }));
}

function happens(event: string, atMs: number) {
  nowMs = atMs;
  video.dispatchEvent(new Event(event));
}

beforeEach(() => {
  video = document.createElement('video');
  nowMs = 0;
  set('seeking', false);
  set('currentTime', 0);
  buffered();
  frames(0);
  meter = new VideoMeter(video, () => nowMs);
});

describe('stalls', () => {
  it('do not count the wait for the first picture', () => {
    happens('waiting', 100);
    happens('playing', 900);
    expect(meter.read()).toMatchObject({ stalls: 0, stalledSeconds: 0 });
  });

  it('count once each, with the time that they took', () => {
    happens('playing', 0);
    happens('waiting', 1_000);
    happens('waiting', 1_200);
    happens('playing', 3_000);
    happens('waiting', 5_000);
    nowMs = 5_500;
    expect(meter.read()).toMatchObject({ stalls: 2, stalledSeconds: 2.5 });
  });

  it('do not count a jump to the live edge', () => {
    happens('playing', 0);
    set('seeking', true);
    happens('waiting', 1_000);
    expect(meter.read().stalls).toBe(0);
  });

  it('are not counted after the end', () => {
    happens('playing', 0);
    meter.stop();
    happens('waiting', 1_000);
    expect(meter.read().stalls).toBe(0);
  });
});

describe('buffer', () => {
  it('is what lies ahead in the range being played', () => {
    set('currentTime', 12);
    buffered([0, 5], [10, 13.5], [20, 30]);
    expect(meter.read().bufferAhead).toBe(1.5);
  });

  it('is nothing between two ranges', () => {
    set('currentTime', 7);
    buffered([0, 5], [10, 13.5]);
    expect(meter.read().bufferAhead).toBe(0);
  });
});

it('measures frames per second between readings', () => {
  frames(100);
  meter.read();
  frames(125, 3);
  nowMs = 1_000;
  expect(meter.read()).toMatchObject({ fps: 25, decodedFrames: 125, droppedFrames: 3 });
});
