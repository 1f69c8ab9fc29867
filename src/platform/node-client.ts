import type { ClientHost } from "../runtime/client-host.ts";
import { nodeClock, nodeElapsed, nodeRandom, nodeTimers } from "./node.ts";
import { nodeSockets } from "./node-sockets.ts";

/** What a client of `warp-edge/client` asks of its host, from Node: its timers don't keep the process alive, and tokens go as headers. */
export function nodeClientHost(): ClientHost {
  return {
    clock: nodeClock,
    elapsed: nodeElapsed,
    timers: nodeTimers,
    random: nodeRandom,
    sockets: nodeSockets,
    fetch: (url, request) => fetch(url, request as RequestInit) as never,
  };
}
