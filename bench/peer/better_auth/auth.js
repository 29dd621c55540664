// better-auth as its documentation sets it up: addresses and passwords, PostgreSQL, administrators by its own plugin.
//
// PGHOST and its like say where PostgreSQL is, PASSWORDS how passwords are hashed: "default" (scrypt), or "argon2id" at this
// service's cost, by the package that its documentation shows for that.

import { Algorithm, hash, verify } from "@node-rs/argon2";
import { betterAuth } from "better-auth";
import { admin } from "better-auth/plugins";
import pg from "pg";

const cost = { algorithm: Algorithm.Argon2id, memoryCost: 19 * 1024, timeCost: 2, parallelism: 1 };
const argon2id = {
  hash: (password) => hash(password, cost),
  verify: ({ hash: stored, password }) => verify(stored, password),
};

export const auth = betterAuth({
  baseURL: `http://127.0.0.1:${process.env.PORT}`,
  secret: process.env.SECRET,
  database: new pg.Pool(),
  emailAndPassword: {
    enabled: true,
    password: process.env.PASSWORDS === "argon2id" ? argon2id : undefined,
  },
  // GET reads a session; POST renews it, each time.
  session: { deferSessionRefresh: true, updateAge: 0 },
  // The service's are off as well.
  rateLimit: { enabled: false },
  plugins: [admin()],
  // A user who registers with it becomes an administrator, as in the service.
  databaseHooks: {
    user: {
      create: {
        before: async (user) => (user.email === "admin@example.com" ? { data: { ...user, role: "admin" } } : undefined),
      },
    },
  },
});
