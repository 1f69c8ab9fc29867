import { memoryBus } from "../../src/syncbus/memory/memory-bus.ts";
import { MemoryBusHub } from "../../src/syncbus/memory/memory-bus-hub.ts";
import { syncBusContract } from "../contract/syncbus.ts";
import { busHost } from "../support/bus-host.ts";

syncBusContract({
  name: "memory",
  supports: {
    quorum: true,
    zones: true,
    health: false,
    peers: true,
    scope: true,
    region: true,
    resume: false,
    remote: false,
  },
  run: async (work) => {
    const host = busHost();
    const hub = new MemoryBusHub(host);
    await work({
      clock: host.clock,
      end: (node) => memoryBus({ hub, ...(node === undefined ? {} : { node }) }),
      arrive: () => host.clock.settle(),
    });
  },
});
