import type { SocketConnectionOptions } from "../../src/connection/socket/options.ts";
import { socketConnection } from "../../src/connection/socket/socket-connection.ts";
import { SpaceClient } from "../../src/connection/space-client.ts";
import type { PushedChanges, PushedInvalidation, PushListener } from "../../src/protocol/pushes.ts";
import { seeded } from "../support/seeded.ts";
import { type VirtualClock, virtualClock } from "../support/virtual-clock.ts";
import { VirtualWire } from "../support/virtual-wire.ts";
import { FakeHub } from "./fake-hub.ts";

/** What differs from the bed's own, perhaps made of its clock. */
export type BedOptions =
  | Partial<SocketConnectionOptions>
  | ((clock: VirtualClock) => Partial<SocketConnectionOptions>);

/** A node's socket connection on a virtual wire to a hub that the test plays. */
export function socketBed(options: BedOptions = {}, seed = 1) {
  const clock = virtualClock();
  const hub = new FakeHub();
  const wire = new VirtualWire(clock, hub.accept);
  const connection = socketConnection({
    url: "http://warp.test",
    space: "test",
    node: "node-under-test",
    sockets: wire,
    timers: clock,
    clock,
    random: seeded(seed),
    ...(typeof options === "function" ? options(clock) : options),
  });
  const client = new SpaceClient({ connection, timers: clock });
  /** A call as a read: it waits for a socket and is sent. Only its method counts. */
  const ask = async (shard = 0): Promise<unknown> => {
    await connection.ready?.(shard);
    return await connection.shard(shard).getSpace("test");
  };
  return { clock, hub, wire, connection, client, ask };
}

/** What a listener heard, in order. */
export class Heard implements PushListener {
  readonly all: string[] = [];
  readonly pushed: PushedChanges[] = [];
  /** What an invalidation waits for. */
  until: (pushed: PushedInvalidation) => void | Promise<void> = () => {};

  changes(pushed: PushedChanges): void {
    this.pushed.push(pushed);
    const entries = pushed.changes.map(({ revision, kind, key }) => `${revision}:${kind}:${key}`);
    this.all.push(`changes ${pushed.after}-${pushed.to} ${entries.join(" ")}`.trim());
  }

  invalidate(pushed: PushedInvalidation): void | Promise<void> {
    this.all.push(`invalidate ${pushed.keys.join(" ")}@${pushed.revision}`);
    return this.until(pushed);
  }

  gap(position: { readonly shard: number; readonly revision: number }): void {
    this.all.push(`gap ${position.revision}`);
  }

  lost(shard: number): void {
    this.all.push(`lost ${shard}`);
  }
}

/** What a promise has come to by now, without waiting for it. */
export async function stateOf(
  clock: VirtualClock,
  work: Promise<unknown>,
): Promise<{ readonly value: unknown } | { readonly error: unknown } | "pending"> {
  let state: { readonly value: unknown } | { readonly error: unknown } | "pending" = "pending";
  work.then(
    (value) => (state = { value }),
    (error: unknown) => (state = { error }),
  );
  await clock.settle();
  return state;
}
