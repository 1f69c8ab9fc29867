import { SpaceClient } from "../../src/connection/space-client.ts";
import { WarpError } from "../../src/errors.ts";
import type { ShardApi } from "../../src/protocol/shard-api.ts";
import { shardBus } from "../../src/syncbus/shard/shard-bus.ts";
import { syncBusContract } from "../contract/syncbus.ts";
import { busHost } from "../support/bus-host.ts";
import { directConnection } from "../support/direct-connection.ts";
import { grantedLease } from "../support/granted-lease.ts";
import { LogPushes } from "../support/log-pushes.ts";
import { ManualTime } from "../support/manual-time.ts";
import { withShardSpace } from "../support/shard-space.ts";

syncBusContract({
  name: "shard",
  supports: {
    quorum: false,
    zones: false,
    health: true,
    peers: false,
    scope: false,
    region: false,
    resume: true,
    remote: true,
  },
  run: async (work) => {
    const host = busHost();
    const time = new ManualTime(host.clock.now());
    await withShardSpace(time, { shards: 1 }, async (shards) => {
      let isCut = false;
      // The call arrives, its answer is lost.
      const cutOnce = (api: ShardApi): ShardApi =>
        new Proxy(api, {
          get: (target, name) => {
            const method = Reflect.get(target, name) as (...args: unknown[]) => Promise<unknown>;
            return async (...args: unknown[]) => {
              const answer = await method.apply(target, args);
              if (!isCut || name !== "mutate") return answer;
              isCut = false;
              throw new WarpError("unavailable", "the connection broke", { outcome: "unknown" });
            };
          },
        });
      const connect = (): SpaceClient =>
        new SpaceClient({
          connection: directConnection("test", (index) => cutOnce(shards[index] as ShardApi)),
          timers: host.timers,
        });
      const pushes = new LogPushes(connect());
      await pushes.pump();
      await work({
        clock: host.clock,
        end: (node) =>
          shardBus({ ...host, client: connect(), pushes, ...(node === undefined ? {} : { node }) }),
        lease: () => grantedLease(connect(), host),
        arrive: async () => {
          await host.clock.settle();
          await pushes.pump();
          await host.clock.settle();
          if (!pushes.isCut) return;
          pushes.isCut = false;
          pushes.tell((listener) => listener.lost(0));
          await host.clock.settle();
        },
        cut: () => {
          isCut = true;
          pushes.isCut = true;
        },
        again: async () => pushes.again(),
      });
    });
  },
});
