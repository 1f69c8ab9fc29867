import type { SpaceClient } from "../../connection/space-client.ts";
import { shardOf } from "../../protocol/key.ts";
import type { LockCommand, LockVerdict } from "../../protocol/lock.ts";
import type { EndedGrant } from "../lock.ts";

/** Tickets that are remembered: more of one node can hardly wait at a time. */
const maxTickets = 1_024;

/**
 * The grants of this node that end with their connections, and what shards say of ends. Where a connection breaks, the shard may have ended a grant before it can say so: then it counts
 * as ended from the break on.
 */
export class SessionGrants {
  readonly #client: SpaceClient;
  readonly #listeners = new Set<(ended: EndedGrant) => void>();
  /** By name and fence. */
  readonly #tied = new Map<string, { readonly name: string; readonly fence: number }>();
  readonly #tickets = new Set<string>();
  readonly #deaf: (() => void) | undefined;
  /** Connections that broke, by shard. */
  readonly #breaks = new Map<number, number>();

  constructor(client: SpaceClient) {
    this.#client = client;
    this.#deaf = client.pushes?.listen({
      changes: () => undefined,
      invalidate: () => undefined,
      gap: () => undefined,
      lost: (shard) => this.#lost(shard),
      ended: ({ name, fence, reason }) => this.#tell({ name, fence, reason }),
    });
  }

  onEnd(listener: (ended: EndedGrant) => void): () => void {
    // Each call has its own entry, so that one function may listen twice.
    const entry = (ended: EndedGrant): void => listener(ended);
    this.#listeners.add(entry);
    return () => void this.#listeners.delete(entry);
  }

  /** To be asked before a command is sent, and given to {@link answered} with its answer. */
  breaksOf(name: string): number {
    return this.#breaks.get(this.#shardOf(name)) ?? 0;
  }

  answered(command: LockCommand, verdict: LockVerdict, breaksBefore: number): void {
    if (verdict.outcome === "fail") return;
    const { name } = command;
    if (command.kind === "release" && verdict.state === "ended" && verdict.count === 0) {
      this.#tied.delete(keyOf(name, command.fence));
    }
    const isTied =
      (command.kind === "acquire" && command.endsWithSession === true) ||
      (command.kind === "claim" && this.#tickets.has(command.ticket));
    if (!isTied) return;
    if (verdict.state === "waiting" || verdict.state === "offered") this.#remember(verdict.ticket);
    if (verdict.state !== "held") return;
    if (command.kind === "claim") this.#tickets.delete(command.ticket);
    const { fence } = verdict;
    // It broke while this was under way: on which side of it the grant was given can't be told.
    if (this.breaksOf(name) !== breaksBefore) this.#tell({ name, fence, reason: "session" });
    else this.#tied.set(keyOf(name, fence), { name, fence });
  }

  close(): void {
    this.#deaf?.();
    this.#listeners.clear();
    this.#tied.clear();
  }

  #lost(shard: number): void {
    this.#breaks.set(shard, (this.#breaks.get(shard) ?? 0) + 1);
    for (const { name, fence } of [...this.#tied.values()]) {
      if (this.#shardOf(name) === shard) this.#tell({ name, fence, reason: "session" });
    }
  }

  #tell(ended: EndedGrant): void {
    this.#tied.delete(keyOf(ended.name, ended.fence));
    for (const listener of [...this.#listeners]) listener(ended);
  }

  #remember(ticket: string): void {
    if (this.#tickets.size >= maxTickets) {
      const [oldest] = this.#tickets;
      if (oldest !== undefined) this.#tickets.delete(oldest);
    }
    this.#tickets.add(ticket);
  }

  #shardOf(name: string): number {
    return shardOf(name, this.#client.shards);
  }
}

function keyOf(name: string, fence: number): string {
  return `${fence}:${name}`;
}

/** For `shardLocks` over a connection with sessions. */
export const sessionGrants = (client: SpaceClient): SessionGrants => new SessionGrants(client);
