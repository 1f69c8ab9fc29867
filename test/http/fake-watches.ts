import type { WatchDoor } from "../../src/http/deployment.ts";
import { utf8 } from "../../src/runtime/bytes.ts";
import type { WatchItem } from "../../src/watchbus/watchbus.ts";

const cursor = "00000000000000aa.3";

/** Watches that tell one change of what they watch, and end: a stand-in where nothing but HTTP is looked at. */
export const fakeWatches: WatchDoor = {
  // Where a call waits, somebody has to be waited for.
  timers: {
    after(delayMs, run) {
      const timer = setTimeout(run, delayMs);
      return () => clearTimeout(timer);
    },
  },
  open: () => ({
    watch: async (target) => {
      const key = "key" in target ? target.key : `${target.prefix}1`;
      const payload = { bytes: utf8('{"name":"Ada"}'), contentType: "application/json" };
      const item: WatchItem = { kind: "set", key, version: 3, revision: 3, shard: 0, payload, cursor };
      return {
        cursor,
        current: Promise.resolve(),
        end: () => {},
        async *[Symbol.asyncIterator]() {
          yield [item];
        },
      };
    },
  }),
};
