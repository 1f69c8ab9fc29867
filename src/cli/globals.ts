import { HttpClient } from "../client/http.ts";
import { defaultTimeoutMs } from "../runtime/limits.ts";
import type { Arguments } from "./arguments.ts";
import type { Flag } from "./command.ts";
import type { CliHost } from "./host.ts";

/** Flags that every command takes. They may stand before the command too. */
export const globalFlags: readonly Flag[] = [
  { name: "url", value: "URL", help: "the deployment; default WARP_URL, else http://127.0.0.1:8787" },
  { name: "space", value: "NAME", help: 'the space; default WARP_SPACE, else "default"' },
  {
    name: "token",
    value: "TOKEN",
    help: "the secret or a token; default WARP_TOKEN, which other users of the machine can't see",
  },
  { name: "json", help: "print answers as JSON, and errors as problem documents" },
  { name: "timeout", value: "TIME", help: "how long a call may take, 100ms to 2m; default 10s" },
  { name: "help", help: "print what the command does, with examples" },
];

/** What the global flags and the environment come to. */
export interface Settings {
  readonly space: string;
  readonly timeoutMs: number;
  readonly json: boolean;
  /** Throws `invalid_argument` where URL, token or time-out are malformed. */
  connect(): HttpClient;
}

/** Reads them; an empty variable counts as not set. */
export function readSettings(args: Arguments, host: CliHost): Settings {
  const { env, fetch, clock, timers, random } = host;
  const url = args.text("url") ?? (env.WARP_URL || "http://127.0.0.1:8787");
  const token = args.text("token") ?? (env.WARP_TOKEN || undefined);
  const timeoutMs = args.durationMs("timeout") ?? defaultTimeoutMs;
  return {
    space: args.text("space") ?? (env.WARP_SPACE || "default"),
    timeoutMs,
    json: args.has("json"),
    connect: () =>
      new HttpClient({
        url,
        timeoutMs,
        fetch,
        clock,
        timers,
        random,
        ...(token === undefined ? {} : { token }),
      }),
  };
}
