import { isWarpError } from "../../src/errors.ts";
import { type FailoverBus, failoverBus } from "../../src/syncbus/failover/failover-bus.ts";
import { memoryBus } from "../../src/syncbus/memory/memory-bus.ts";
import { MemoryBusHub } from "../../src/syncbus/memory/memory-bus-hub.ts";
import type { BusMessage, PublishOptions, SyncBus } from "../../src/syncbus/syncbus.ts";
import { busHost } from "../support/bus-host.ts";
import { CutBus, type Way } from "../support/cut-bus.ts";
import { seeded } from "../support/seeded.ts";

/** What is put wrong on purpose, to see that it is found. */
export type Planted = "ids are not passed on" | "the second swallows" | "nobody tells of what was missed";

/** What happened in a world, and what was wrong with it. */
export interface WorldReport {
  readonly wrong: readonly string[];
  readonly published: number;
  readonly failed: number;
  readonly overSecond: number;
  readonly duplicates: number;
}

interface Node {
  readonly name: string;
  readonly ways: readonly [CutBus, CutBus];
  readonly bus: FailoverBus;
  /** What it heard, and at which step. */
  readonly heard: { readonly key: string; readonly step: number }[];
}

const ways: readonly Way[] = ["works", "works", "works", "before", "after", "silent"];

/** Four nodes over two buses whose ways break and heal as the seed says. */
export async function failoverWorld(seed: number, planted?: Planted): Promise<WorldReport> {
  const host = busHost();
  const random = seeded(seed);
  const dice = (sides: number): number => random.below(sides);
  const hubs = [new MemoryBusHub(host), new MemoryBusHub(host)] as const;
  let step = 0;
  const nodes = await Promise.all(
    ["a", "b", "c", "d"].map(async (name): Promise<Node> => {
      const made = hubs.map((hub, at) => spoilt(memoryBus({ hub, node: name }), at, planted));
      const [first, second] = made.map(
        (bus) => new CutBus(host, bus, planted !== "nobody tells of what was missed"),
      );
      if (first === undefined || second === undefined) throw new Error("no bus");
      const bus = failoverBus({
        ...host,
        first: first.bus,
        second: second.bus,
        threshold: 2,
        openMs: 200,
        timeoutMs: 60,
      });
      const heard: Node["heard"] = [];
      await bus.subscribe({ prefix: "" }, (events) => {
        for (const event of events) heard.push({ key: "key" in event ? event.key : "*", step });
      });
      return { name, ways: [first, second], bus, heard };
    }),
  );
  const told: {
    readonly key: string;
    readonly from: string;
    readonly step: number;
    ok: boolean | undefined;
  }[] = [];
  let overSecond = 0;
  const publish = ({ bus, name }: Node): void => {
    const one: (typeof told)[number] = { key: `${told.length}`, from: name, step, ok: undefined };
    told.push(one);
    if (bus.carries === "second") overSecond++;
    bus.publish({ key: one.key }, { timeoutMs: 500 }).then(
      () => {
        one.ok = true;
      },
      (error: unknown) => {
        if (!isWarpError(error)) throw error;
        one.ok = false;
      },
    );
  };
  for (; step < 250; step++) {
    const node = nodes[dice(4)];
    if (node === undefined) continue;
    const choice = dice(10);
    if (choice < 5) publish(node);
    else if (choice < 7) {
      const way = node.ways[dice(2) === 0 ? 0 : 1];
      way.way = ways[dice(ways.length)] ?? "works";
    } else if (choice === 7) {
      // A whole bus is gone, or is back.
      const at = dice(2) === 0 ? 0 : 1;
      const way = ways[dice(ways.length)] ?? "works";
      for (const one of nodes) one.ways[at].way = way;
    } else await host.clock.advance(dice(80));
  }
  for (const { ways: both } of nodes) for (const one of both) one.way = "works";
  for (let round = 0; round < 4; round++, step++) {
    await host.clock.advance(300);
    for (const node of nodes) publish(node);
  }
  await host.clock.advance(1_000);
  const wrong = judge(nodes, told);
  for (const node of nodes) {
    if (node.bus.carries !== "first") wrong.push(`${node.name} has not come back to the first`);
    await node.bus.close();
  }
  if (host.clock.timers > 0) wrong.push(`${host.clock.timers} timers are left`);
  return {
    wrong,
    published: told.filter(({ ok }) => ok).length,
    failed: told.filter(({ ok }) => ok === false).length,
    overSecond,
    duplicates: nodes.reduce((sum, { bus }) => sum + bus.stats().duplicates, 0),
  };
}

/** Whoever was there has heard each message that was taken once, or that anything may have changed since. */
function judge(
  nodes: readonly Node[],
  told: readonly {
    readonly key: string;
    readonly from: string;
    readonly step: number;
    readonly ok: boolean | undefined;
  }[],
): string[] {
  const wrong: string[] = [];
  for (const { name, heard } of nodes) {
    for (const { key, from, step, ok } of told) {
      const times = heard.filter((one) => one.key === key).length;
      if (ok === undefined) wrong.push(`${key} has no end`);
      if (times > 1) wrong.push(`${name} has heard ${key} ${times} times`);
      if (from === name && times > 0) wrong.push(`${name} has heard itself`);
      if (from === name || !ok || times > 0) continue;
      if (!heard.some((one) => one.key === "*" && one.step >= step)) wrong.push(`${name} has missed ${key}`);
    }
  }
  return wrong;
}

/** A bus with what is planted in it. */
function spoilt(bus: SyncBus, at: number, planted: Planted | undefined): SyncBus {
  if (planted === undefined) return bus;
  return new Proxy(bus, {
    get: (target, name) => {
      if (name === "publish" && planted === "ids are not passed on") {
        return (message: BusMessage, { id: _, ...options }: PublishOptions = {}) =>
          target.publish(message, options);
      }
      if (name === "publish" && planted === "the second swallows" && at === 1) return async () => undefined;
      const member: unknown = Reflect.get(target, name, target);
      return typeof member === "function" ? member.bind(target) : member;
    },
  });
}
