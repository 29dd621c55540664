// Serves on PORT with two processes.

import cluster from "node:cluster";
import { createServer } from "node:http";

const WORKERS = 2;

if (cluster.isPrimary) {
  for (let worker = 0; worker < WORKERS; worker++) cluster.fork();
  // It ends with the last of them.
  process.once("SIGTERM", () => Object.values(cluster.workers).forEach((worker) => worker.process.kill()));
} else {
  const { toNodeHandler } = await import("better-auth/node");
  const { auth } = await import("./auth.js");
  createServer({ keepAliveTimeout: 75_000 }, toNodeHandler(auth)).listen(process.env.PORT, "127.0.0.1");
}
