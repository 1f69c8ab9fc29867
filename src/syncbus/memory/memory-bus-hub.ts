import { WarpError } from "../../errors.ts";
import { uuidv7 } from "../../runtime/ids.ts";
import type { BusEnd, BusHost } from "../bus-end.ts";
import { SeenIds } from "../seen-ids.ts";
import type { BusEvent, BusPeer, Outgoing } from "../syncbus.ts";
import type { Receipt } from "./receipts.ts";

/** What {@link MemoryBusHub} takes. */
export interface MemoryBusHubOptions extends BusHost {
  /** Default `"local"`. */
  readonly region?: string;
}

/** A node's place at a hub. */
export interface Member {
  readonly end: BusEnd;
  readonly peer: BusPeer;
}

/**
 * One region of the memory bus: every node of it in this process. Regions are joined by {@link bridge}: what is published with scope `global` passes on
 * to all that can be reached, once to each and never back (rule SB6). Every event carries the region of its publisher and that region's vector clock.
 */
export class MemoryBusHub {
  readonly region: string;
  readonly host: BusHost;
  readonly #members = new Set<Member>();
  readonly #bridges = new Set<MemoryBusHub>();
  readonly #seen = new SeenIds();
  readonly #vector = new Map<string, number>();

  constructor(options: MemoryBusHubOptions) {
    const { region = "local", clock, timers, random, background } = options;
    this.region = region;
    this.host = { clock, timers, random, background };
  }

  /** Joins two regions until the answer is called. Throws `invalid_argument` where both have one name: they would be one region. */
  bridge(other: MemoryBusHub): () => void {
    if (other.region === this.region) {
      throw new WarpError("invalid_argument", "a bridge joins two regions of different names", {
        details: { field: "region" },
      });
    }
    this.#bridges.add(other);
    other.#bridges.add(this);
    return () => {
      this.#bridges.delete(other);
      other.#bridges.delete(this);
    };
  }

  /** Adds a node's end; the answer takes it away. */
  join(member: Member): () => void {
    this.#members.add(member);
    return () => void this.#members.delete(member);
  }

  /** All nodes that can be reached from here, those of the publisher's own name left out. */
  peers(scope: "local" | "global", from: string): readonly Member[] {
    return this.#reachable(scope).flatMap((hub) =>
      [...hub.#members].filter(({ peer }) => peer.node !== from),
    );
  }

  /** Passes a node's messages on; gives the receipts of all who listen to any of them. */
  publish(messages: readonly Outgoing[], from: BusPeer): readonly Receipt[] {
    const { clock, random } = this.host;
    const events = messages.map((message): BusEvent => {
      this.#vector.set(this.region, (this.#vector.get(this.region) ?? 0) + 1);
      return {
        ...message,
        id: message.id ?? uuidv7(clock, random),
        node: from.node,
        region: this.region,
        vector: Object.fromEntries(this.#vector),
      };
    });
    const receipts: Receipt[] = [];
    this.#pass(events, receipts);
    return receipts;
  }

  /** Tells all nodes that can be reached that a lease has ended. */
  publishLeaseEnd(lease: string, from: BusPeer, id?: string): void {
    const { clock, random } = this.host;
    const event = { lease, id: id ?? uuidv7(clock, random), node: from.node };
    for (const { end } of this.peers("global", from.node)) end.takeLease(event);
  }

  #pass(events: readonly BusEvent[], receipts: Receipt[]): void {
    const fresh = events.filter(({ id }) => this.#seen.add(id));
    if (fresh.length === 0) return;
    for (const { vector = {} } of fresh) {
      for (const [region, count] of Object.entries(vector)) {
        this.#vector.set(region, Math.max(count, this.#vector.get(region) ?? 0));
      }
    }
    for (const { end, peer } of [...this.#members]) {
      const others = fresh.filter(({ node }) => node !== peer.node);
      const acted = others.length === 0 ? undefined : end.take(others);
      if (acted !== undefined) receipts.push({ peer, acted });
    }
    const crossing = fresh.filter(({ scope }) => scope !== "local");
    if (crossing.length === 0) return;
    // Back to where it came from, too: there each is known by its id.
    for (const hub of this.#bridges) hub.#pass(crossing, receipts);
  }

  #reachable(scope: "local" | "global"): readonly MemoryBusHub[] {
    const found = new Set<MemoryBusHub>([this]);
    if (scope === "global") for (const hub of found) for (const next of hub.#bridges) found.add(next);
    return [...found];
  }
}
