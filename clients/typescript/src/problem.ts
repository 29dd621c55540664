import type { components } from "./schema.js";

type Problem = components["schemas"]["Problem"];

/** An error response: an RFC 9457 problem, or what is known of a response that is none. */
export class ProblemError extends Error {
  override readonly name = "ProblemError";
  readonly status: number;
  /** The stable, machine-readable code; `unknown` if the response is not a problem. */
  readonly code: Problem["code"] | "unknown";
  readonly title: string;
  readonly detail: string;
  /** The invalid fields; empty if the error is not about fields. */
  readonly errors: Problem["errors"];
  readonly request_id: string | undefined;
  /** Seconds to wait before the next attempt, if the service says so. */
  readonly retry_after: number | undefined;

  constructor(response: Response, problem: Partial<Problem>) {
    const title = problem.title ?? (response.statusText || `HTTP ${response.status}`);
    super(problem.detail ?? title);
    this.status = response.status;
    this.code = problem.code ?? "unknown";
    this.title = title;
    this.detail = problem.detail ?? title;
    this.errors = problem.errors ?? [];
    this.request_id = problem.request_id ?? response.headers.get("X-Request-Id") ?? undefined;
    const seconds = Number.parseInt(response.headers.get("Retry-After") ?? "", 10);
    this.retry_after = Number.isNaN(seconds) ? undefined : seconds;
  }

  /** Reads the body of an error response. */
  static async from(response: Response): Promise<ProblemError> {
    const isProblem = response.headers.get("Content-Type")?.startsWith("application/problem+json");
    const problem: Partial<Problem> = isProblem ? await response.json().catch(() => ({})) : {};
    return new ProblemError(response, problem);
  }
}
