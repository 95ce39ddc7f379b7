import { describe, expect, it } from 'vitest';
import { type Entry, Readings } from './readings';

const pair = (part: object = {}): Entry => ({
  type: 'candidate-pair',
  nominated: true,
  state: 'succeeded',
  currentRoundTripTime: 0.02,
  ...part,
});

describe('what goes out', () => {
  const layer = (bytesSent: number, frameHeight: number): Entry => ({
    type: 'outbound-rtp',
    kind: 'video',
    bytesSent,
    headerBytesSent: 0,
    frameWidth: (frameHeight * 16) / 9,
    frameHeight,
    framesPerSecond: 30,
    codecId: 'c1',
    qualityLimitationReason: 'bandwidth',
  });
  const rest: Entry[] = [
    { type: 'codec', id: 'c1', mimeType: 'video/H264' },
    { type: 'remote-inbound-rtp', fractionLost: 0.01, roundTripTime: 0.05 },
    { type: 'remote-inbound-rtp', fractionLost: 0.04, roundTripTime: 0.05 },
    pair({ state: 'failed', nominated: false, currentRoundTripTime: 9 }),
    pair(),
  ];

  it('has no rate before the second reading', () => {
    expect(new Readings().outgoing([layer(1000, 720)], 0).kbps).toBeNull();
  });

  it('adds layers and sound up, and tells the largest picture', () => {
    const readings = new Readings();
    const audio = (bytesSent: number): Entry => ({ type: 'outbound-rtp', kind: 'audio', bytesSent });
    readings.outgoing([layer(0, 360), layer(0, 720), audio(0)], 1_000);
    const now = readings.outgoing([layer(25_000, 360), layer(100_000, 720), audio(12_500), ...rest], 3_000);
    expect(now).toEqual({
      kbps: 550,
      fps: 30,
      width: 1280,
      height: 720,
      codec: 'H264',
      loss: 0.04,
      roundTrip: 0.02,
      limitedBy: 'bandwidth',
    });
  });
});

describe('what comes in', () => {
  const inbound = (part: object): Entry => ({ type: 'inbound-rtp', kind: 'video', ...part });

  it('tells loss and waiting since the last reading', () => {
    const readings = new Readings();
    readings.incoming(
      [
        inbound({
          packetsReceived: 100,
          packetsLost: 50,
          jitterBufferDelay: 9,
          jitterBufferEmittedCount: 10,
        }),
      ],
      0,
    );
    const now = readings.incoming(
      [
        inbound({
          packetsReceived: 190,
          packetsLost: 60,
          jitterBufferDelay: 10,
          jitterBufferEmittedCount: 30,
          framesDecoded: 25,
        }),
        pair(),
      ],
      1_000,
    );
    expect(now).toMatchObject({ loss: 0.1, buffer: 0.05, decoded: 25, fps: 25, roundTrip: 0.02 });
  });

  it('knows nothing of an empty report', () => {
    expect(new Readings().incoming([], 0)).toMatchObject({
      packets: 0,
      loss: null,
      buffer: 0,
      roundTrip: null,
    });
  });
});
