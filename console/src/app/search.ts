/** What pages keep in the address. Unknown or broken values fall back to the default, silently. */
import { PROTOCOLS, type Protocol } from '../players/player';

export const SORTS = ['name', 'bitrate', 'viewers', 'uptime', 'health'] as const;
export type Sort = (typeof SORTS)[number];
export const VIEWS = ['list', 'wall'] as const;
export type View = (typeof VIEWS)[number];

/** How the reader publishes. */
export const WAYS = ['programs', 'browser'] as const;
export type Way = (typeof WAYS)[number];

export interface LiveSearch {
  q?: string;
  sort?: Sort;
  desc?: true;
  view?: View;
}

export interface StreamSearch {
  vhost?: string;
  player?: Protocol;
}

export interface PublishSearch {
  host?: string;
  app?: string;
  stream?: string;
  way?: Way;
}

type Raw = Record<string, unknown>;

export function liveSearch(raw: Raw): LiveSearch {
  return present({
    q: text(raw.q),
    sort: oneOf(SORTS, raw.sort),
    desc: raw.desc === true ? true : undefined,
    view: oneOf(VIEWS, raw.view),
  });
}

export function streamSearch(raw: Raw): StreamSearch {
  return present({ vhost: text(raw.vhost), player: oneOf(PROTOCOLS, raw.player) });
}

export function publishSearch(raw: Raw): PublishSearch {
  return present({
    host: text(raw.host),
    app: text(raw.app),
    stream: text(raw.stream),
    way: oneOf(WAYS, raw.way),
  });
}

/** The router reads digits as a number; a stream may well be called 1. */
function text(value: unknown): string | undefined {
  if (typeof value === 'number') return String(value);
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function oneOf<T extends string>(allowed: readonly T[], value: unknown): T | undefined {
  return allowed.find((each) => each === value);
}

type Present<T> = { [K in keyof T]?: Exclude<T[K], undefined> };

function present<T extends object>(values: T): Present<T> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as Present<T>;
}
