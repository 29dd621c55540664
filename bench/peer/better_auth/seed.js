// node seed.js COUNT: makes the tables, and COUNT users with one password, whose hash is made once.

import { getMigrations } from "better-auth/db/migration";
import { auth } from "./auth.js";

const count = Number(process.argv[2]);
const { runMigrations } = await getMigrations(auth.options);
await runMigrations();
const { internalAdapter, password } = await auth.$context;
const hash = await password.hash("correct horse battery");
for (let number = 0; number < count; number++) {
  const user = await internalAdapter.createUser({
    name: `User ${number}`,
    email: `user${number}@example.com`,
    emailVerified: true,
  });
  await internalAdapter.linkAccount({ userId: user.id, providerId: "credential", accountId: user.id, password: hash });
}
await auth.options.database.end();
