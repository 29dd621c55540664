import type { paths } from "./schema.js";

export type Method = "get" | "post" | "put" | "patch" | "delete";

/** The paths that have a method. */
export type PathsWith<M extends Method> = { [P in keyof paths]: paths[P][M] extends object ? P : never }[keyof paths];

/** The parameters and the body of an operation: one argument, which may be left out if the operation requires nothing. */
export type Arguments<P extends keyof paths, M extends Method> =
  {} extends Init<Operation<P, M>> ? [init?: Init<Operation<P, M>>] : [init: Init<Operation<P, M>>];

/** The body of an operation's successful response. */
export type Result<P extends keyof paths, M extends Method> =
  Operation<P, M> extends { responses: infer R } ? JsonOf<R[Extract<keyof R, 200 | 201 | 202 | 204>]> : never;

type Operation<P extends keyof paths, M extends Method> = NonNullable<paths[P][M]>;

type JsonOf<R> = R extends { content: { "application/json": infer J } } ? J : undefined;

// With the types of openapi-fetch 0.17 a body could have fields that the document does not have
// (https://github.com/openapi-ts/openapi-typescript/issues/1769).
type Init<O> = ParametersOf<O> & BodyOf<O> & { headers?: Record<string, string>; signal?: AbortSignal };

type ParametersOf<O> = O extends { parameters: infer P } ? ({} extends P ? { params?: P } : { params: P }) : unknown;

type BodyOf<O> = O extends { requestBody?: never }
  ? { body?: never }
  : O extends { requestBody: { content: { "application/json": infer J } } }
    ? { body: J }
    : O extends { requestBody?: { content: { "application/json": infer J } } }
      ? { body?: J }
      : { body: never };
