import { memoryFallback } from "../../src/fallback/memory/memory-fallback.ts";
import { MemoryStreams } from "../../src/fallback/memory/memory-streams.ts";
import type { StreamFault } from "../../src/fallback/memory/stream-faults.ts";
import { fallbackContract } from "../contract/fallback.ts";
import { ManualTime } from "../support/manual-time.ts";
import { realTimers } from "../support/redis-bridge/real-timers.ts";

fallbackContract({
  name: "memory",
  run: async (work, bounds = {}) => {
    const time = new ManualTime();
    const [streams, others] = [new MemoryStreams(time, bounds), new MemoryStreams(time)];
    const planned: StreamFault[] = [];
    let isCut = false;
    const faults = (): StreamFault | undefined => (isCut ? { lost: "before" } : planned.shift());
    await work({
      time,
      open: () => memoryFallback({ streams, timers: realTimers, faults }),
      elsewhere: () => memoryFallback({ streams: others, timers: realTimers }),
      loseAnswer: async () => void planned.push({ lost: "after" }),
      cut: async () => {
        isCut = true;
        return async () => {
          isCut = false;
        };
      },
    });
  },
});
