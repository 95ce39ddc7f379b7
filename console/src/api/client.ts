/**
 * The one place that talks to the API. Same origin, typed by `schema.d.ts`, every failure an [`ApiError`].
 * Nothing here retries: polling does that with its own bound.
 */
import createClient, { type Middleware } from 'openapi-fetch';
import { authorizationHeader } from './credentials';
import { ApiError, refusal } from './error';
import type { components, paths } from './schema';

export type ConsoleInfo = components['schemas']['Console'];
export type ApiVhost = components['schemas']['Vhost'];
export type ApiStream = components['schemas']['Stream'];
export type ApiClient = components['schemas']['Client'];
export type RtcSession = components['schemas']['RtcSession'];
export type RtcSessionList = components['schemas']['RtcSessionList'];

/** A server that takes longer than this counts as not answering. */
const TIMEOUT_MS = 8_000;
/** Entries asked for at a time. */
const PAGE_SIZE = 1_000;
/** Pages read at most, so that a huge server cannot freeze the page: 5,000 entries. */
const MAX_PAGES = 5;

const sendCredentials: Middleware = {
  onRequest({ request }) {
    const value = authorizationHeader();
    if (value) request.headers.set('Authorization', value);
    return request;
  },
};

const http = createClient<paths>({
  baseUrl: globalThis.location?.origin ?? '',
  fetch: (request) => fetch(request, { signal: AbortSignal.timeout(TIMEOUT_MS) }),
});
http.use(sendCredentials);

export async function consoleInfo(): Promise<ConsoleInfo> {
  return answer(await reach(() => http.GET('/api/v1/console')));
}

export async function vhosts(): Promise<ApiVhost[]> {
  return answer(await reach(() => http.GET('/api/v1/vhosts/'))).vhosts;
}

export function streams(): Promise<ApiStream[]> {
  return pages(
    async (query) => answer(await reach(() => http.GET('/api/v1/streams/', { params: { query } }))).streams,
  );
}

/** Clients of one stream, `most` of them; the server sorts by id. */
export async function clientsOf(stream: string, most: number): Promise<ApiClient[]> {
  const query = { stream, count: most };
  return answer(await reach(() => http.GET('/api/v1/clients/', { params: { query } }))).clients;
}

export async function client(id: string): Promise<ApiClient> {
  const reply = answer(await reach(() => http.GET('/api/v1/clients/{id}', { params: { path: { id } } })));
  if (!('client' in reply)) throw refusal(200, reply.code);
  return reply.client;
}

/** WebRTC sessions, running and lately failed, the oldest first. */
export async function rtcSessions(): Promise<RtcSessionList> {
  return answer(await reach(() => http.GET('/api/v1/rtc/sessions/')));
}

/** Ends a client's connection, publisher or player. */
export async function kick(id: string): Promise<void> {
  answer(await reach(() => http.DELETE('/api/v1/clients/{id}', { params: { path: { id } } })));
}

interface Page {
  start: number;
  count: number;
}

async function pages<T>(read: (page: Page) => Promise<T[]>): Promise<T[]> {
  const all: T[] = [];
  for (let page = 0; page < MAX_PAGES; page++) {
    const part = await read({ start: page * PAGE_SIZE, count: PAGE_SIZE });
    all.push(...part);
    if (part.length < PAGE_SIZE) break;
  }
  return all;
}

async function reach<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (cause) {
    // A body that is not JSON is an answer, but not this API's.
    throw new ApiError(cause instanceof SyntaxError ? 'unexpected' : 'unreachable', 0, 0);
  }
}

interface Answer<T> {
  data?: T;
  error?: unknown;
  response: Response;
}

function answer<T>({ data, error, response }: Answer<T>): T {
  if (!response.ok) throw refusal(response.status, codeOf(error), detailOf(error));
  if (typeof data !== 'object' || data === null) throw new ApiError('unexpected', response.status, 0);
  const code = codeOf(data);
  if (code !== 0) throw refusal(response.status, code);
  return data;
}

function codeOf(body: unknown): number {
  if (typeof body !== 'object' || body === null || !('code' in body)) return 0;
  return typeof body.code === 'number' ? body.code : 0;
}

/** A refusal says what to change, for the reader who runs the server. */
function detailOf(body: unknown): string {
  if (typeof body !== 'object' || body === null || !('error' in body)) return '';
  return typeof body.error === 'string' ? body.error : '';
}
