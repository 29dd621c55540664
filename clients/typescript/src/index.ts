export { UsersClient } from "./client.js";
export type { UsersClientOptions } from "./client.js";
export { ProblemError } from "./problem.js";
export { MemoryTokenStore } from "./tokens.js";
export type { Tokens, TokenStore } from "./tokens.js";
export type { Arguments, Method, PathsWith, Result } from "./operations.js";
export type { components, operations, paths } from "./schema.js";

import type { components } from "./schema.js";

/** The types of request and response bodies by their name in the OpenAPI document. */
export type Schemas = components["schemas"];
