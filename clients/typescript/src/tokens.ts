/** The tokens of a session. */
export interface Tokens {
  access_token: string;
  refresh_token: string;
  /** When the access token expires, in milliseconds since 1970. */
  expires_at: number;
}

/**
 * Where the tokens of one session are stored.
 *
 * `clear` is called after a sign-out, and when the service says that the session has ended.
 */
export interface TokenStore {
  get(): Tokens | undefined | Promise<Tokens | undefined>;
  set(tokens: Tokens): void | Promise<void>;
  clear(): void | Promise<void>;
}

/** Keeps the tokens until the page or the process ends. */
export class MemoryTokenStore implements TokenStore {
  #tokens: Tokens | undefined;

  get(): Tokens | undefined {
    return this.#tokens;
  }

  set(tokens: Tokens): void {
    this.#tokens = tokens;
  }

  clear(): void {
    this.#tokens = undefined;
  }
}
