/** Where each page lives. Every link is made here, so that an address changes in one place. */
import { linkOptions } from '@tanstack/react-router';
import { DEFAULT_VHOST, type StreamName } from '../media/name';

/** The stream page's splat: app and stream as in the play addresses; other vhosts go in the search. */
export function streamSplat({ app, stream }: StreamName): string {
  return `${app}/${stream}`;
}

/** The name behind a stream page's address: the last segment is the stream, all before it the app. */
export function nameOfSplat(splat: string, vhost: string | undefined): StreamName {
  const cut = splat.lastIndexOf('/');
  return {
    vhost: vhost ?? DEFAULT_VHOST,
    app: cut < 0 ? '' : splat.slice(0, cut),
    stream: splat.slice(cut + 1),
  };
}

export const to = {
  live: () => linkOptions({ to: '/' }),
  publish: () => linkOptions({ to: '/publish' }),
  /** Where the broadcast of this browser is steered. */
  broadcast: ({ app, stream }: StreamName) =>
    linkOptions({ to: '/publish', search: { way: 'browser', app, stream } }),
  stream: (name: StreamName) =>
    linkOptions({
      to: '/streams/$',
      params: { _splat: streamSplat(name) },
      search: name.vhost === DEFAULT_VHOST ? {} : { vhost: name.vhost },
    }),
};
