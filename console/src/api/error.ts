/**
 * What went wrong when asking the server, sorted by what the reader can do about it.
 *
 * - `unreachable`: no answer at all (server stopped, network gone, time-out)
 * - `unauthorized`: the server wants credentials, or the action from this address needs them
 * - `gone`: the stream or client asked for does not exist any more
 * - `refused`: the server answered with an error code of its own
 * - `unexpected`: an answer that is not this API (a proxy's page, another server)
 */
export type ApiProblem = 'unreachable' | 'unauthorized' | 'gone' | 'refused' | 'unexpected';

/** Codes of the API for "no such stream" and "no such client". */
const GONE_CODES = new Set([2048, 2049]);

export class ApiError extends Error {
  constructor(
    readonly problem: ApiProblem,
    /** HTTP status, or 0 if there was no answer. */
    readonly status: number,
    /** The API's own code, or 0. */
    readonly code: number,
  ) {
    super(`API ${problem} (status ${status}, code ${code})`);
    this.name = 'ApiError';
  }
}

/** Sorts an answer that is not a success. */
export function refusal(status: number, code: number): ApiError {
  if (status === 401 || status === 403) return new ApiError('unauthorized', status, code);
  if (GONE_CODES.has(code) || status === 404) return new ApiError('gone', status, code);
  return new ApiError('refused', status, code);
}
