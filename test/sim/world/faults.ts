import type { Kernel } from "./kernel.ts";
import type { Link } from "./links.ts";
import type { PlannedFault } from "./plan.ts";
import type { ShardHost } from "./shard-host.ts";
import type { SimNode } from "./sim-node.ts";

/** What faults strike. */
export interface FaultParts {
  readonly kernel: Kernel;
  readonly hosts: readonly ShardHost[];
  readonly node: (at: number) => SimNode;
  readonly restart: (node: number) => void;
  /** Sets a shard's storage back, as from a backup. */
  readonly restore: (host: ShardHost) => void;
  /** Breaks the sockets between a node and a shard; gives whether there were any. */
  readonly drop: (node: number, shard: number) => boolean;
  readonly link: (node: number, shard: number) => Link;
}

/** Lets a planned fault happen. Gives its name for the count, undefined where there was nothing to strike. */
export function strike(fault: PlannedFault, parts: FaultParts): string | undefined {
  const { kernel, hosts } = parts;
  const host = "shard" in fault ? hosts[fault.shard % hosts.length] : undefined;
  switch (fault.fault) {
    case "pause":
      parts.node(fault.node).pause(fault.ms);
      return "node pause";
    case "restart":
      parts.restart(fault.node);
      return "node restart";
    case "cut": {
      const link = parts.link(fault.node, fault.shard % hosts.length);
      link.cut(kernel.nowMs + fault.ms, fault.way !== "back", fault.way !== "there");
      return fault.way === "both" ? "cut" : `cut one way (${fault.way})`;
    }
    case "slow":
      parts.link(fault.node, fault.shard % hosts.length).slow(kernel.nowMs + fault.ms, fault.by);
      return "slow link";
    case "drop":
      return parts.drop(fault.node, fault.shard % hosts.length) ? "socket broken" : undefined;
    case "kill":
      host?.kill(fault.downMs);
      return "kill";
    case "evict":
      return host?.evict(fault.sockets) === true ? "eviction" : undefined;
    case "supersede":
      host?.supersede(fault.ms);
      return "superseded instance";
    case "restore":
      if (host !== undefined) parts.restore(host);
      return "storage set back";
    case "storage":
      host?.failTransactions(fault.count);
      return "storage error";
    case "shardClock":
      host?.stepClock();
      return "shard clock set";
    case "nodeClock":
      parts.node(fault.node).time.step(fault.ms - 500);
      return "node clock set";
  }
}
