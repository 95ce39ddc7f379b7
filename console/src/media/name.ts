/** A stream's full name. `__defaultVhost__` is the vhost that needs no mention in addresses. */
export const DEFAULT_VHOST = '__defaultVhost__';

export interface StreamName {
  vhost: string;
  app: string;
  stream: string;
}

export function streamName(vhost: string | undefined, app: string, stream: string): StreamName {
  return { vhost: vhost ?? DEFAULT_VHOST, app, stream };
}

export function sameStream(a: StreamName, b: StreamName): boolean {
  return a.vhost === b.vhost && a.app === b.app && a.stream === b.stream;
}
