import { WarpError } from "../../errors.ts";
import type { Acknowledged, BusPeer, Quorum } from "../syncbus.ts";

/** A node that was given a message, and whether it has acted on it. Never rejects. */
export interface Receipt {
  readonly peer: BusPeer;
  readonly acted: Promise<boolean>;
}

/** The distinct nodes and zones of some members. */
export function distinct(peers: Iterable<BusPeer>): Acknowledged {
  const nodes = new Set<string>();
  const zones = new Set<string>();
  for (const { node, zone } of peers) {
    nodes.add(node);
    if (zone !== undefined) zones.add(zone);
  }
  return { nodes: [...nodes], zones: [...zones] };
}

export function meets({ nodes, zones }: Acknowledged, quorum: Required<Quorum>): boolean {
  return nodes.length >= quorum.nodes && zones.length >= quorum.minZones;
}

export function quorumFailed(
  what: string,
  { nodes, zones }: Acknowledged,
  quorum: Required<Quorum>,
): WarpError {
  return new WarpError(
    "quorum_failed",
    `${what}: ${nodes.length} of ${quorum.nodes} nodes, ${zones.length} of ${quorum.minZones} zones`,
    {
      details: {
        nodes: nodes.length,
        zones: zones.length,
        wantedNodes: quorum.nodes,
        wantedZones: quorum.minZones,
      },
    },
  );
}

/** Counts acknowledgements of distinct nodes until the quorum is met; `quorum_failed` as soon as nobody is left who could. */
export class Count {
  readonly met: Promise<Acknowledged>;
  readonly #quorum: Required<Quorum>;
  readonly #acknowledged: BusPeer[] = [];

  constructor(receipts: readonly Receipt[], quorum: Required<Quorum>) {
    this.#quorum = quorum;
    this.met = new Promise((resolve, reject) => {
      const all = receipts.map(async ({ peer, acted }) => {
        if (!(await acted)) return;
        this.#acknowledged.push(peer);
        const acknowledged = distinct(this.#acknowledged);
        if (meets(acknowledged, quorum)) resolve(acknowledged);
      });
      void Promise.all(all).then(() => reject(this.failed("too few nodes have acknowledged")));
    });
  }

  /** The error of a quorum that is not met by now. */
  failed(what: string): WarpError {
    return quorumFailed(what, distinct(this.#acknowledged), this.#quorum);
  }
}
