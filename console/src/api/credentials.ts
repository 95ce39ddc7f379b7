/**
 * The user name and password of `http_api.auth`, as typed by the reader. Kept in memory only: a reload
 * asks again, and no other page or tab can read them.
 */
let authorization: string | null = null;

export function signIn(username: string, password: string): void {
  const bytes = new TextEncoder().encode(`${username}:${password}`);
  authorization = `Basic ${btoa(String.fromCharCode(...bytes))}`;
}

export function signOut(): void {
  authorization = null;
}

/** Value of the `Authorization` header, or null before signing in. */
export function authorizationHeader(): string | null {
  return authorization;
}
