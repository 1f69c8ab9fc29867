import type { ShardConnection } from "../../../src/connection/shard-connection.ts";
import { WarpError } from "../../../src/errors.ts";
import type { ShardApi } from "../../../src/protocol/shard-api.ts";
import type { Kernel } from "./kernel.ts";
import type { Link } from "./links.ts";
import type { CallEnd, ShardHost, ShardMethod } from "./shard-host.ts";

/** All that nodes call. */
const methods: readonly ShardMethod[] = [
  "read",
  "mutate",
  "transact",
  "resolve",
  "list",
  "changes",
  "usage",
  "readVersion",
  "history",
  "claimLoad",
  "getSpace",
  "createSpace",
  "deleteSpace",
  "getRegistrations",
  "register",
  "unregister",
  "lock",
  "waitLock",
  "lockInfo",
  "listLocks",
  "observe",
  "lease",
  "leaseInfo",
  "listLeases",
  "leaseKeys",
  "publish",
];

/** Calls that may arrive twice. */
const repeatable: ReadonlySet<ShardMethod> = new Set([
  "read",
  "changes",
  "getSpace",
  "getRegistrations",
] as const);

/** Carries a call over a link and back: it may be late, be lost either way, or arrive twice. */
export function carry(
  kernel: Kernel,
  link: Link,
  host: ShardHost,
  method: ShardMethod,
  args: readonly unknown[],
  deliver: (run: () => void) => void,
): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const broken = (): void => {
      // Of some lost calls the caller never hears.
      if (link.isSilentNow()) return;
      kernel.after(link.delayMs() + link.below(300), () =>
        deliver(() => reject(new Error("Network connection lost"))),
      );
    };
    const back = (end: CallEnd): void => {
      if ("lost" in end || !link.isUp("back") || link.breaksNow()) {
        broken();
        return;
      }
      kernel.after(link.delayMs(), () => {
        if (!link.isUp("back")) {
          broken();
          return;
        }
        deliver(() => ("value" in end ? resolve(end.value) : reject(end.error)));
      });
    };
    const arrive = (end: (end: CallEnd) => void): void => {
      if (link.isUp("there")) host.call(method, args, end);
      else end({ lost: true });
    };
    if (!link.isUp("there") || link.breaksNow()) {
      broken();
      return;
    }
    kernel.after(link.delayMs(), () => arrive(back));
    // Of changes a platform sends no second copy by itself: that is their caller's to do, who knows what the answers mean.
    if (repeatable.has(method) && link.comesTwice())
      kernel.after(link.delayMs() + link.below(1_000), () => arrive(() => {}));
  });
}

/** Shards called one request at a time, as over the platform's RPC. `deliver` hands an answer to the caller's host. */
export function rpcLike(
  kernel: Kernel,
  space: string,
  hosts: readonly ShardHost[],
  linkTo: (shard: number) => Link,
  deliver: (run: () => void) => void,
): ShardConnection {
  const apis = hosts.map((host) => {
    const api: Record<string, unknown> = {};
    for (const method of methods) {
      api[method] = (...args: readonly unknown[]) =>
        carry(kernel, linkTo(host.index), host, method, args, deliver);
    }
    return api as unknown as ShardApi;
  });
  return {
    space,
    shard: (index) => {
      const api = apis[index];
      if (api === undefined) throw new Error(`there is no shard ${index}`);
      return api;
    },
    fault: (cause) =>
      WarpError.from(cause, "unavailable", "the call to the shard broke", { outcome: "unknown" }),
    close: async () => {},
  };
}
