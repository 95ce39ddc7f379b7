/**
 * What went wrong when asking the server, sorted by what the reader can do about it.
 *
 * - `unreachable`: no answer at all (server stopped, network gone, time-out)
 * - `unauthorized`: the server wants credentials, or the action from this address needs them
 * - `forbidden`: the server takes this action only from its own console under a name nobody else can own
 * - `gone`: the stream or client asked for does not exist any more
 * - `refused`: the server answered with an error code of its own
 * - `unexpected`: an answer that is not this API (a proxy's page, another server)
 */
export type ApiProblem = 'unreachable' | 'unauthorized' | 'forbidden' | 'gone' | 'refused' | 'unexpected';

/** Codes of the API for "no such stream" and "no such client". */
const GONE_CODES = new Set([2048, 2049]);

export class ApiError extends Error {
  constructor(
    readonly problem: ApiProblem,
    /** HTTP status, or 0 if there was no answer. */
    readonly status: number,
    /** The API's own code, or 0. */
    readonly code: number,
    /** What the server says about it, in its own words, or empty. */
    readonly detail = '',
  ) {
    super(`API ${problem} (status ${status}, code ${code})`);
    this.name = 'ApiError';
  }
}

/** Sorts an answer that is not a success. */
export function refusal(status: number, code: number, detail = ''): ApiError {
  return new ApiError(problemOf(status, code), status, code, detail);
}

function problemOf(status: number, code: number): ApiProblem {
  if (status === 401) return 'unauthorized';
  if (status === 403) return 'forbidden';
  return GONE_CODES.has(code) || status === 404 ? 'gone' : 'refused';
}
