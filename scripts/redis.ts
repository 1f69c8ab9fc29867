/**
 * `npm run redis`: a redis-server of this machine behind a REST surface as Upstash has it, to develop against. Says the variables that a deployment needs to use it, how
 * `redis-cli` reaches it, and where orders are taken (`POST {control}/fault` with a fault in JSON, `/clear`, `/kill`, `/start`).
 *
 * Exit codes: 0 ended as asked, 1 could not start, 2 called the wrong way.
 */

import { parseArgs } from "node:util";
import { LocalRedis, type LocalRedisOptions } from "./redis-bridge/local-redis.ts";
import { missingRedis } from "./redis-bridge/redis-server.ts";
import { endAsked } from "./serve/ending.ts";

const usage = `npm run redis -- [--data FOLDER] [--port PORT] [--token TOKEN]
  --data FOLDER  where its files are kept; without it they go when it ends
  --port PORT    of the REST surface; default: a free one
  --token TOKEN  that it asks for, at least 16 visible ASCII characters; default: drawn. With the same port and token its URL is the same at each start`;

async function main(): Promise<number> {
  const read = readArguments();
  if (read === undefined) {
    console.error(usage);
    return 2;
  }
  const missing = missingRedis();
  if (missing !== undefined) {
    console.error(`redis: ${missing}`);
    return 1;
  }
  const asked = endAsked();
  const redis = await LocalRedis.start(read);
  for (const [name, value] of Object.entries(redis.variables)) console.log(`${name}=${value}`);
  console.log(`redis-cli -s ${redis.socket}`);
  console.log(`redis is ready: curl -X POST ${redis.control}/kill ends redis-server, /start starts it again`);
  await asked;
  await redis.end();
  return 0;
}

/** Undefined: not to be understood. */
function readArguments(): Pick<LocalRedisOptions, "folder" | "port" | "token"> | undefined {
  try {
    const text = { type: "string" } as const;
    const { values } = parseArgs({ options: { data: text, port: text, token: text } });
    if (values.port !== undefined && !/^\d{1,5}$/.test(values.port)) return undefined;
    if (values.token !== undefined && !/^[!-~]{16,}$/.test(values.token)) return undefined;
    return {
      ...(values.data === undefined ? {} : { folder: values.data }),
      ...(values.port === undefined ? {} : { port: Number(values.port) }),
      ...(values.token === undefined ? {} : { token: values.token }),
    };
  } catch {
    return undefined;
  }
}

process.exitCode = await main();
