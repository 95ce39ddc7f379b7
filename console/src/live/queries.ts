/** Server state for the pages: what is asked, how often, and how long an answer stays good. */
import { keepPreviousData, queryOptions, useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import * as api from '../api/client';
import { ApiError } from '../api/error';
import type { StreamName } from '../media/name';
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

/** Clients of a stream shown at most; it may have thousands. */
const CLIENTS_SHOWN = 200;

/** Clients of one stream, publisher first, then the longest connected. */
export function useStreamClients(stream: LiveStream) {
  return useQuery({
    queryKey: ['clients', stream.id, stream.publisher],
    queryFn: async () => {
      const [publisher, others] = await Promise.all([
        stream.publisher === null ? null : clientOrGone(stream.publisher),
        api.clientsOf(stream.id, CLIENTS_SHOWN),
      ]);
      const viewers = others.filter(({ id }) => id !== publisher?.id).sort((a, b) => b.alive - a.alive);
      return publisher ? [publisher, ...viewers] : viewers;
    },
    placeholderData: keepPreviousData,
    refetchInterval: pollEvery(LIVE_MS),
  });
}

/** WebRTC sessions of one stream, running and lately failed. */
export function useRtcSessions(name: StreamName, enabled: boolean) {
  const path = `${name.app}/${name.stream}`;
  return useQuery({
    queryKey: ['rtc'],
    queryFn: api.rtcSessions,
    select: ({ sessions, failed }) => ({
      sessions: sessions.filter(({ stream }) => stream === path),
      failed: failed.filter(({ stream }) => stream === path),
    }),
    enabled,
    refetchInterval: pollEvery(LIVE_MS),
  });
}

/** A publisher may leave between two questions. */
async function clientOrGone(id: string): Promise<api.ApiClient | null> {
  try {
    return await api.client(id);
  } catch (error) {
    if (error instanceof ApiError && error.problem === 'gone') return null;
    throw error;
  }
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
