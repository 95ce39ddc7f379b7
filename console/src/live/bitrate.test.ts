import { describe, expect, it } from 'vitest';
import { BitrateHistory } from './bitrate';

/** One reading every two seconds at `kbps`. */
function feed(history: BitrateHistory, count: number, kbps: number, from = 0) {
  let rate = null;
  for (let index = 0; index < count; index++) {
    const atMs = (from + index) * 2_000;
    rate = history.record('s', { atMs, received: atMs * (kbps / 8), sent: 0 });
  }
  return rate;
}

describe('BitrateHistory', () => {
  it('knows nothing from one reading', () => {
    expect(feed(new BitrateHistory(), 1, 800)).toBeNull();
  });

  it('measures what arrived between two readings', () => {
    expect(feed(new BitrateHistory(), 2, 800)?.inKbps).toBe(800);
  });

  it('keeps one minute and no more', () => {
    const history = new BitrateHistory();
    feed(history, 100, 800);
    expect(history.lastMinute('s')).toHaveLength(31);
  });

  it('counts the silence of a publisher', () => {
    const history = new BitrateHistory();
    feed(history, 4, 800);
    const rate = history.record('s', { atMs: 16_000, received: 6_000 * 100, sent: 0 });
    expect(rate?.silentMs).toBe(10_000);
  });

  it('starts anew when counters run backwards', () => {
    const history = new BitrateHistory();
    feed(history, 10, 800);
    expect(history.record('s', { atMs: 22_000, received: 0, sent: 0 })).toBeNull();
    expect(history.lastMinute('s')).toEqual([]);
  });

  it('does not count the same reading twice', () => {
    const history = new BitrateHistory();
    feed(history, 3, 800);
    history.record('s', { atMs: 4_000, received: 400_000, sent: 0 });
    expect(history.lastMinute('s')).toHaveLength(2);
  });

  it('forgets streams that left', () => {
    const history = new BitrateHistory();
    feed(history, 3, 800);
    history.forgetAllBut(new Set());
    expect(history.lastMinute('s')).toEqual([]);
  });
});
