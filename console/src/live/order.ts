/** Searching and sorting of the live page. */
import type { Sort } from '../app/search';
import type { HealthLevel } from './health';
import type { LiveStream } from './stream';

/** Streams of which every word of `query` appears in name, app, vhost or codec. */
export function matching(streams: LiveStream[], query: string): LiveStream[] {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  return streams.filter((stream) => {
    const text = searchText(stream);
    return words.every((word) => text.includes(word));
  });
}

function searchText({ name, video, audio }: LiveStream): string {
  const parts = [name.vhost, `${name.app}/${name.stream}`, video?.codec, video?.profile, audio?.codec];
  return parts.join(' ').toLowerCase();
}

/** Worst first: the order in which an operator wants to look. */
const URGENCY: Record<HealthLevel, number> = { bad: 0, warning: 1, idle: 2, good: 3 };

export function sorted(streams: LiveStream[], sort: Sort, descending: boolean): LiveStream[] {
  const compare = comparison(sort);
  const direction = descending ? -1 : 1;
  return streams.toSorted((a, b) => direction * compare(a, b) || byName(a, b));
}

function comparison(sort: Sort): (a: LiveStream, b: LiveStream) => number {
  switch (sort) {
    case 'name':
      return byName;
    case 'bitrate':
      return (a, b) => a.inKbps - b.inKbps;
    case 'viewers':
      return (a, b) => a.viewers - b.viewers;
    case 'health':
      return (a, b) => URGENCY[a.health.level] - URGENCY[b.health.level];
    case 'uptime':
      return (a, b) => (b.since ?? NEVER) - (a.since ?? NEVER);
  }
}

/** Whoever does not publish has the shortest uptime of all. */
const NEVER = Number.MAX_SAFE_INTEGER;

const names = new Intl.Collator(undefined, { numeric: true });

function byName(a: LiveStream, b: LiveStream): number {
  return names.compare(fullName(a), fullName(b));
}

function fullName({ name }: LiveStream): string {
  return `${name.stream} ${name.app} ${name.vhost}`;
}
