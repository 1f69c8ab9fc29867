import { MemoryLockSpace } from "../../src/lock/memory/memory-lock-space.ts";
import { memoryLocks } from "../../src/lock/memory/memory-locks.ts";
import { locksContract } from "../contract/lock.ts";
import { seeded } from "../support/seeded.ts";
import { virtualClock } from "../support/virtual-clock.ts";

locksContract({
  name: "memory",
  supports: {
    exclusive: true,
    durable: false,
    shared: false,
    fair: true,
    sessions: true,
    elections: true,
  },
  run: async (work) => {
    const clock = virtualClock();
    const random = seeded(1);
    const space = new MemoryLockSpace({ clock, timers: clock, random });
    await work({
      random,
      now: () => clock.now(),
      open: () => memoryLocks({ space }),
      advance: (ms) => clock.advance(ms),
      done: (call) => call,
    });
  },
});
