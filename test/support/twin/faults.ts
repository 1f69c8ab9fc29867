import { setTimeout as sleep } from "node:timers/promises";
import type { Seeded } from "../seeded.ts";
import type { Bed, RemoteNode } from "./bed.ts";

/** What can happen to the deployment and its network. */
export type Fault =
  | "kill unseen"
  | "abort unseen"
  | "kill"
  | "abort"
  | "cut"
  | "away"
  | "hold"
  | "hold up"
  | "hold down"
  | "hold and cut"
  | "pause";

const kinds: readonly Exclude<Fault, "kill" | "kill unseen">[] = [
  "abort",
  "abort unseen",
  "cut",
  "away",
  "hold",
  "hold up",
  "hold down",
  "hold and cut",
  "pause",
];

/** Makes faults, one after the other on each thing that can break, and counts them. */
export class Faults {
  readonly counts = new Map<Fault, number>();
  readonly #bed: Bed;
  readonly #shards: number;
  readonly #random: Seeded;
  /** What is to go on asking a node that does not answer. */
  readonly #pester: (remote: RemoteNode, isOver: () => boolean) => Promise<void>;
  #killing: Promise<void> | undefined;

  constructor(
    bed: Bed,
    shards: number,
    random: Seeded,
    pester: (remote: RemoteNode, isOver: () => boolean) => Promise<void>,
  ) {
    this.#bed = bed;
    this.#shards = shards;
    this.#random = random;
    this.#pester = pester;
  }

  /** One fault after the other until it is over; each kind once before any comes again. */
  async run(isOver: () => boolean): Promise<void> {
    let due: Exclude<Fault, "kill" | "kill unseen">[] = [];
    while (!isOver()) {
      await sleep(200 + this.#random.below(900));
      if (due.length === 0) due = [...kinds];
      const [kind] = due.splice(this.#random.below(due.length), 1);
      if (kind !== undefined && !isOver()) await this.make(kind);
    }
  }

  /** Kills the runtime with -9 and starts it again on the same folder. With `unseen` a node does not learn of it for a while. */
  async kill(unseen: boolean): Promise<void> {
    this.#count(unseen ? "kill unseen" : "kill");
    const { net } = this.#random.pick(this.#bed.remotes);
    if (unseen) net.hold();
    this.#killing = this.#bed.killAndRestart();
    await this.#killing;
    this.#killing = undefined;
    if (unseen) await sleep(4_500);
    net.heal();
  }

  async make(kind: Exclude<Fault, "kill" | "kill unseen">): Promise<void> {
    this.#count(kind);
    const remote = this.#random.pick(this.#bed.remotes);
    const { net, node } = remote;
    // Most are over before a node lease is, some take longer than lease and barrier.
    const lengthMs =
      this.#random.below(3) === 0 ? 5_000 + this.#random.below(2_500) : 300 + this.#random.below(2_500);
    switch (kind) {
      case "abort":
        await this.#killing;
        await this.#bed.abort(this.#random.below(this.#shards)).catch(() => undefined);
        return;
      case "abort unseen":
        await this.#killing;
        net.hold();
        for (let shard = 0; shard < this.#shards; shard++)
          await this.#bed.abort(shard).catch(() => undefined);
        await sleep(Math.max(lengthMs, 4_500));
        net.heal();
        return;
      case "cut":
        net.cut();
        return;
      case "away":
        net.cut({ refusing: true });
        await sleep(lengthMs);
        net.heal();
        return;
      case "pause": {
        node.pause();
        let over = false;
        const pestered = this.#pester(remote, () => over);
        await sleep(lengthMs);
        node.resume();
        over = true;
        await pestered;
        return;
      }
      default:
        net.hold(
          ...(kind === "hold up" ? (["up"] as const) : kind === "hold down" ? (["down"] as const) : []),
        );
        await sleep(lengthMs);
        if (kind === "hold and cut") net.cut();
        net.heal();
    }
  }

  #count(kind: Fault): void {
    this.counts.set(kind, (this.counts.get(kind) ?? 0) + 1);
  }
}
