import type { WarpOptions } from "../../src/core/types.ts";
import { memoryBus } from "../../src/syncbus/memory/memory-bus.ts";
import { MemoryBusHub } from "../../src/syncbus/memory/memory-bus-hub.ts";
import type { BusMessage, PublishOptions, SyncBus } from "../../src/syncbus/syncbus.ts";
import { type BedNode, type CoreBed, coreBed } from "./core-bed.ts";
import { seeded } from "./seeded.ts";

/** What a test puts in place of a bus's `publish`; `pass` is the real one. */
export type Publish = (
  message: BusMessage,
  pass: () => Promise<void>,
  options: PublishOptions | undefined,
) => Promise<void>;

/** The bus with another `publish`. */
export function publishing(bus: SyncBus, publish: Publish): SyncBus {
  return new Proxy(bus, {
    get: (target, name) => {
      if (name === "publish")
        return (message: BusMessage, options?: PublishOptions) =>
          publish(message, () => target.publish(message, options), options);
      const member: unknown = Reflect.get(target, name, target);
      return typeof member === "function" ? member.bind(target) : member;
    },
  });
}

/** A storage that tells nobody of changes, nodes over it, and a memory bus between them. */
export interface BusCoreBed extends CoreBed {
  readonly hub: MemoryBusHub;
  /** A node with its own end of the bus; `wrap` may put something in between. */
  listening(
    options?: Partial<WarpOptions>,
    wrap?: (bus: SyncBus) => SyncBus,
  ): BedNode & { readonly bus: SyncBus };
}

export function busCoreBed(): BusCoreBed {
  const bed = coreBed();
  const hub = new MemoryBusHub({
    clock: bed.clock,
    timers: bed.clock,
    random: seeded(7),
    background: { run: (work) => void work.catch((error: unknown) => bed.leaks.push(error)) },
  });
  return {
    ...bed,
    hub,
    listening(options = {}, wrap = (bus) => bus) {
      const bus = wrap(memoryBus({ hub }));
      return { ...bed.node({ bus, supports: { changes: false }, ...options }), bus };
    },
  };
}
