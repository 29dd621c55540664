import createClient, { type Client } from "openapi-fetch";
import type { Arguments, Method, PathsWith, Result } from "./operations.js";
import { ProblemError } from "./problem.js";
import type { components, paths } from "./schema.js";
import { MemoryTokenStore, type Tokens, type TokenStore } from "./tokens.js";

type Schemas = components["schemas"];

export interface UsersClientOptions {
  /** The base URL of the API, such as `https://accounts.example.com/api/v1`. */
  baseUrl: string;
  /** Where the tokens are stored; in memory by default. */
  store?: TokenStore;
  /** What sends the requests; the platform's `fetch` by default. */
  fetch?: (request: Request) => Promise<Response>;
}

/** Milliseconds by which an access token is replaced before it expires. */
const EARLY = 30_000;
/** Milliseconds between two looks at a picture that is being processed, and how often to look. */
const [PICTURE_INTERVAL, PICTURE_LOOKS] = [500, 120];

/**
 * A client of the user management service, which keeps the tokens of one session.
 *
 * Every method throws a {@link ProblemError} for an error response, and whatever `fetch` throws if there is none.
 */
export class UsersClient {
  readonly #api: Client<paths, "application/json">;
  readonly #store: TokenStore;
  readonly #fetch: (request: Request) => Promise<Response>;
  #refreshing: Promise<Tokens | undefined> | undefined;

  constructor({ baseUrl, store = new MemoryTokenStore(), fetch = (request) => globalThis.fetch(request) }: UsersClientOptions) {
    this.#store = store;
    this.#fetch = fetch;
    this.#api = createClient({ baseUrl, headers: { Accept: "application/json" }, fetch: (request) => this.#send(request) });
  }

  get<P extends PathsWith<"get">>(path: P, ...init: Arguments<P, "get">): Promise<Result<P, "get">> {
    return this.#call("get", path, init[0]);
  }

  post<P extends PathsWith<"post">>(path: P, ...init: Arguments<P, "post">): Promise<Result<P, "post">> {
    return this.#call("post", path, init[0]);
  }

  put<P extends PathsWith<"put">>(path: P, ...init: Arguments<P, "put">): Promise<Result<P, "put">> {
    return this.#call("put", path, init[0]);
  }

  patch<P extends PathsWith<"patch">>(path: P, ...init: Arguments<P, "patch">): Promise<Result<P, "patch">> {
    return this.#call("patch", path, init[0]);
  }

  delete<P extends PathsWith<"delete">>(path: P, ...init: Arguments<P, "delete">): Promise<Result<P, "delete">> {
    return this.#call("delete", path, init[0]);
  }

  /** Whether there are tokens. The session may have ended since the service was last asked. */
  async isSignedIn(): Promise<boolean> {
    return (await this.#store.get()) !== undefined;
  }

  /**
   * Signs in. The result has a `challenge_token` if the account has a second factor: pass it to {@link verifySignIn}.
   *
   * The `device_token` of the result is the app's to keep, and to send with the next sign-in to the same account.
   */
  signIn(body: Schemas["Login"]): Promise<Schemas["SignedIn"] | Schemas["SecondFactorRequired"]> {
    return this.#keep(this.#call("post", "/auth/login", { body, fetch: this.#unauthorized }));
  }

  /** Completes a sign-in with the second factor. */
  verifySignIn(body: Schemas["VerifyLogin"]): Promise<Schemas["SignedIn"]> {
    return this.#keep(this.#call("post", "/auth/login/verify", { body, fetch: this.#unauthorized }));
  }

  /** Signs in with a passkey, for which `POST /auth/passkey/options` gives the options. */
  signInWithPasskey(body: Schemas["PasskeyLogin"]): Promise<Schemas["SignedIn"]> {
    return this.#keep(this.#call("post", "/auth/passkey", { body, fetch: this.#unauthorized }));
  }

  /**
   * Ends the session, or all sessions of the account, and clears the tokens. The tokens are kept if the service cannot be
   * reached or answers with an error, so that the app can try again; a session that has already ended is no error.
   */
  async signOut({ everywhere = false }: { everywhere?: boolean } = {}): Promise<void> {
    try {
      await this.post("/auth/logout", { body: { everywhere } });
    } catch (error) {
      if (!(error instanceof ProblemError && error.status === 401)) throw error;
    }
    await this.#store.clear();
  }

  /** Uploads a picture of the user, and waits for up to a minute until it has been processed. */
  async uploadPicture(picture: Blob): Promise<Schemas["Picture"]> {
    const { upload_url, method, headers } = await this.post("/user/picture", {
      body: { content_type: picture.type as Schemas["UploadPicture"]["content_type"], content_length: picture.size },
    });
    // `fetch` sets the length itself, and browsers do not allow it to be set.
    const { "content-length": _length, ...others } = headers;
    const response = await this.#fetch(new Request(upload_url, { method, headers: others, body: picture }));
    if (!response.ok) throw await ProblemError.from(response);
    for (let look = 1; ; look++) {
      const user = await this.get("/user");
      if (user.picture.status !== "processing" || look === PICTURE_LOOKS) return user.picture;
      await new Promise((resolve) => setTimeout(resolve, PICTURE_INTERVAL));
    }
  }

  async #keep<T extends object>(signIn: Promise<T>): Promise<T> {
    const result = await signIn;
    if (isTokenPair(result)) await this.#store.set(tokens(result));
    return result;
  }

  async #call<P extends keyof paths, M extends Method>(method: M, path: P, init: unknown): Promise<Result<P, M>> {
    // The public methods check the types of the arguments. An error response never gets here: `#send` throws.
    const { data } = await this.#api.request(method, path as never, init as never);
    return data as Result<P, M>;
  }

  /** Sends a request, with the access token if there is one, and once more if the service says that it is not valid. */
  async #send(request: Request): Promise<Response> {
    const again = request.clone();
    const tokens = request.headers.has("Authorization") ? undefined : await this.#fresh();
    let response = await this.#fetch(authorized(request, tokens));
    let problem = response.ok ? undefined : await ProblemError.from(response);
    if (tokens && problem?.code === "invalid_token") {
      const renewed = await this.#refresh(tokens);
      if (renewed) {
        response = await this.#fetch(authorized(again, renewed));
        problem = response.ok ? undefined : await ProblemError.from(response);
      }
    }
    if (problem) throw problem;
    return response;
  }

  /** The tokens, with an access token that has not expired; `undefined` if there are none or the session has ended. */
  async #fresh(): Promise<Tokens | undefined> {
    const tokens = await this.#store.get();
    return tokens && tokens.expires_at - EARLY <= Date.now() ? this.#refresh(tokens) : tokens;
  }

  /** Replaces the tokens. Refresh tokens are for one use, so requests that need this at the same time share one refresh. */
  #refresh(used: Tokens): Promise<Tokens | undefined> {
    this.#refreshing ??= this.#exchange(used).finally(() => {
      this.#refreshing = undefined;
    });
    return this.#refreshing;
  }

  async #exchange(used: Tokens): Promise<Tokens | undefined> {
    const before = await this.#store.get();
    // Another request has replaced them since this one was sent.
    if (before?.access_token !== used.access_token) return before;
    // Signing out, or in to another account, takes precedence.
    const unchanged = async () => (await this.#store.get())?.refresh_token === before.refresh_token;
    const body: Schemas["Refresh"] = { refresh_token: before.refresh_token };
    let renewed: Tokens;
    try {
      renewed = tokens(await this.#call("post", "/auth/refresh", { body, fetch: this.#unauthorized }));
    } catch (error) {
      if (!(error instanceof ProblemError && error.code === "invalid_refresh_token")) throw error;
      if (await unchanged()) await this.#store.clear();
      return undefined;
    }
    if (await unchanged()) await this.#store.set(renewed);
    return renewed;
  }

  readonly #unauthorized = async (request: Request): Promise<Response> => {
    const response = await this.#fetch(request);
    if (!response.ok) throw await ProblemError.from(response);
    return response;
  };
}

function isTokenPair(result: object): result is Schemas["TokenPair"] {
  return "access_token" in result;
}

function tokens({ access_token, refresh_token, expires_in }: Schemas["TokenPair"]): Tokens {
  return { access_token, refresh_token, expires_at: Date.now() + expires_in * 1000 };
}

function authorized(request: Request, tokens: Tokens | undefined): Request {
  if (tokens) request.headers.set("Authorization", `Bearer ${tokens.access_token}`);
  return request;
}
