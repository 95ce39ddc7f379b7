/** Server state for the pages: what is asked, how often, and how long an answer stays good. */
import { queryOptions, useMutation, useQueries, useQuery, useQueryClient } from '@tanstack/react-query';
import * as api from '../api/client';
import { ApiError } from '../api/error';
import { BitrateHistory } from './bitrate';
import { type LiveStream, liveStreams } from './stream';

/** Live numbers. Short enough to feel live, long enough for a phone's battery and a busy server. */
const LIVE_MS = 2_000;
/** While the server does not answer. */
const DOWN_MS = 5_000;
/** Vhosts and ports change with the configuration, seldom. */
const CONFIG_MS = 30_000;

const history = new BitrateHistory();

export const consoleInfoQuery = queryOptions({
  queryKey: ['console'],
  queryFn: api.consoleInfo,
  staleTime: CONFIG_MS,
  refetchInterval: pollEvery(CONFIG_MS),
});

const vhostsQuery = queryOptions({ queryKey: ['vhosts'], queryFn: api.vhosts, staleTime: CONFIG_MS });

export function useConsoleInfo() {
  return useQuery(consoleInfoQuery);
}

/** Every stream, each with its last minute, renewed every two seconds. */
export function useLiveStreams() {
  const queries = useQueryClient();
  return useQuery({
    queryKey: ['streams'],
    queryFn: async () => {
      const [vhosts, streams] = await Promise.all([queries.fetchQuery(vhostsQuery), api.streams()]);
      return liveStreams(streams, await withNewVhosts(streams, vhosts), history);
    },
    refetchInterval: pollEvery(LIVE_MS),
  });

  async function withNewVhosts(streams: api.ApiStream[], vhosts: api.ApiVhost[]) {
    const known = new Set(vhosts.map((vhost) => vhost.id));
    if (streams.every((stream) => known.has(stream.vhost))) return vhosts;
    return queries.fetchQuery({ ...vhostsQuery, staleTime: 0 });
  }
}

/**
 * When each stream's publisher connected, in ms of the browser's clock, by client id. Asked once per
 * publisher: the moment does not move.
 */
export function usePublishedSince(streams: readonly LiveStream[]): ReadonlyMap<string, number> {
  const publishers = streams.flatMap((stream) => stream.publisher ?? []);
  return useQueries({
    queries: publishers.map((id) => ({
      queryKey: ['published-since', id],
      queryFn: async () => ({ id, since: Date.now() - (await api.client(id)).alive * 1000 }),
      staleTime: Number.POSITIVE_INFINITY,
      retry: 1,
    })),
    combine: (results) =>
      new Map(results.flatMap(({ data }) => (data ? [[data.id, data.since] as const] : []))),
  });
}

/** Clients of one stream, publisher first, then the longest connected. */
export function useStreamClients(streamId: string | undefined) {
  return useQuery({
    queryKey: ['clients', streamId],
    enabled: streamId !== undefined,
    queryFn: async () => {
      const clients = (await api.clients()).filter((client) => client.stream === streamId);
      return clients.sort((a, b) => Number(b.publish) - Number(a.publish) || b.alive - a.alive);
    },
    refetchInterval: pollEvery(LIVE_MS),
  });
}

export function useKick() {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: api.kick,
    onSuccess: () => queries.invalidateQueries({ queryKey: ['clients'] }),
  });
}

/** Polls on; slower while the server is away; not at all while it waits for credentials. */
function pollEvery(ms: number) {
  return (query: { state: { error: Error | null } }): number | false => {
    const { error } = query.state;
    if (error instanceof ApiError && error.problem === 'unauthorized') return false;
    return error ? DOWN_MS : ms;
  };
}
