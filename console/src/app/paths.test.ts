import { describe, expect, it } from 'vitest';
import { streamName } from '../media/name';
import { nameOfSplat, streamSplat } from './paths';
import { liveSearch, streamSearch } from './search';

describe('stream page address', () => {
  it.each([
    streamName(undefined, 'live', 'cam1'),
    streamName('studio.example.com', 'site/hall', 'cam.1'),
    streamName(undefined, 'live', '课堂'),
  ])('comes back as the name it was made from: %o', (name) => {
    expect(nameOfSplat(streamSplat(name), name.vhost)).toEqual(name);
  });
});

describe('search', () => {
  it('drops what it does not know', () => {
    expect(liveSearch({ sort: 'colour', view: 'wall', q: '', desc: 'yes', other: 1 })).toEqual({
      view: 'wall',
    });
    expect(streamSearch({ player: 'rtsp', vhost: 7 })).toEqual({ vhost: '7' });
  });
});
