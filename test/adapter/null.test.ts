import { nullAdapter } from "../../src/adapter/null/null-adapter.ts";
import { adapterContract } from "../contract/adapter.ts";
import { ManualTime } from "../support/manual-time.ts";
import { seeded } from "../support/seeded.ts";

adapterContract({
  name: "null",
  supports: {
    storage: false,
    atomicBatch: false,
    changes: false,
    registrations: false,
    persistent: false,
    history: false,
    claims: false,
    transactions: false,
    merge: false,
    quorum: false,
    leases: false,
    fences: false,
  },
  firstWriteCreates: false,
  run: async (work) => {
    const time = new ManualTime();
    const random = seeded(1);
    await work({ time, random, open: () => nullAdapter({ clock: time, random }) });
  },
});
