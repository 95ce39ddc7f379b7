import { describe, expect, it } from 'vitest';
import { type HealthInput, health } from './health';

const WELL: HealthInput = {
  publishing: true,
  hasVideo: true,
  hasAudio: true,
  silentMs: 0,
  lastMinute: new Array(20).fill(2_000),
};

describe('health', () => {
  it.each([
    [{}, 'good', 'health.both'],
    [{ hasAudio: false }, 'good', 'health.videoOnly'],
    [{ hasVideo: false }, 'good', 'health.audioOnly'],
    [{ hasVideo: false, hasAudio: false }, 'warning', 'health.starting'],
    [{ publishing: false }, 'idle', 'health.nobody'],
    [{ silentMs: 7_000 }, 'bad', 'health.silent'],
    [{ lastMinute: [...new Array(17).fill(2_000), 300, 300, 300] }, 'warning', 'health.dropped'],
    [{ lastMinute: [2_000, 100] }, 'good', 'health.both'],
  ] as const)('%o', (part, level, key) => {
    const found = health({ ...WELL, ...part });
    expect([found.level, found.reason.key]).toEqual([level, key]);
  });

  it('says how long nothing came', () => {
    expect(health({ ...WELL, silentMs: 7_400 }).reason).toEqual({ key: 'health.silent', seconds: 7 });
  });
});
