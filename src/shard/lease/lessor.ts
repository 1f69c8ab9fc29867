import { WarpError } from "../../errors.ts";
import { shardOf } from "../../protocol/key.ts";
import type { LeaseCommand, LeaseInfo, LeaseVerdict } from "../../protocol/lease.ts";
import {
  checkLeaseCommand,
  leaseFull,
  leaseNotFound,
  leasePrint,
  leaseTaken,
  tooManyLeases,
} from "../../protocol/lease-rules.ts";
import { replayOf } from "../../protocol/outcomes.ts";
import { checkRegistered } from "../../protocol/plan.ts";
import { leaseTombstoneMs, maxLeaseKeys, maxLeases } from "../../runtime/coordination-limits.ts";
import type { DueSource } from "../alarms.ts";
import type { ChangeLog } from "../change-log.ts";
import type { RegistrationTable } from "../registration-table.ts";
import type { VerdictTable } from "../verdict-table.ts";
import type { AttachmentTable } from "./attachment-table.ts";
import type { LeaseRow, LeaseTable } from "./lease-table.ts";

/** Leases that one stretch ends at most. */
const endsPerStretch = 100;

/** What a lessor works on. */
export interface LessorParts {
  readonly table: LeaseTable;
  readonly attachments: AttachmentTable;
  readonly log: ChangeLog;
  readonly verdicts: VerdictTable;
  readonly registrations: RegistrationTable;
  readonly strict: boolean;
  /** Shards of the space. */
  readonly shards: number;
  /** A lease has ended in this stretch: that is to be carried out once it is durable. */
  readonly ending: (id: string, nowMs: number) => void;
}

/**
 * What one shard knows of leases, inside the commits of its callers: as their home it decides whether they are live, as a shard with keys of them it decides
 * what may be attached.
 */
export class Lessor {
  readonly #parts: LessorParts;

  constructor(parts: LessorParts) {
    this.#parts = parts;
  }

  get table(): LeaseTable {
    return this.#parts.table;
  }

  get attachments(): AttachmentTable {
    return this.#parts.attachments;
  }

  /** Carries out one command for the shard `own`. A refusal is a verdict; both are kept under the op id. */
  run(command: LeaseCommand, nowMs: number, own: number): LeaseVerdict {
    const { verdicts } = this.#parts;
    const refused = checkLeaseCommand(command, nowMs);
    if (refused !== undefined) return { outcome: "fail", error: refused.toData() };
    const print = leasePrint(command);
    const known = verdicts.find(command.opId);
    if (known !== undefined) return this.#again(replayOf<LeaseVerdict>(known, print), command, nowMs);
    const verdict = judged(() => this.#act(command, nowMs, own));
    verdicts.keep(command.opId, nowMs, { print, verdict });
    return verdict;
  }

  /** Whether keys of the shard `own` may be attached to a lease now. */
  isOpen(id: string, own: number, nowMs: number): boolean {
    const { table, attachments, shards } = this.#parts;
    if (shardOf(id, shards) === own) return table.isLive(table.get(id), nowMs);
    return attachments.isJoined(id);
  }

  /** Throws `lease_not_found`, `overloaded` where a key may not be attached. */
  check(id: string, key: string, nowMs: number): void {
    const { attachments } = this.#parts;
    if (!this.isOpen(id, this.#shardOf(key), nowMs)) throw leaseNotFound();
    if (!attachments.hasRoom(id, 1, maxLeaseKeys) && !attachments.has(id, key)) throw leaseFull(maxLeaseKeys);
  }

  /** Attaches a key after {@link check} in the same stretch. */
  attach(id: string, key: string): void {
    const { attachments, table, shards } = this.#parts;
    const own = this.#shardOf(key);
    // Its home needs not be asked by itself: that it has keys of it is known with the first of them.
    if (shardOf(id, shards) === own) table.addMember(id, own);
    attachments.add(id, key);
  }

  /** Takes in another shard that may have keys of a lease. Throws `lease_not_found`. */
  addMember(id: string, member: number, nowMs: number): void {
    const { table } = this.#parts;
    if (!table.isLive(table.get(id), nowMs)) throw leaseNotFound();
    table.addMember(id, member);
  }

  /** What is told of a live lease. */
  info(id: string, nowMs: number): LeaseInfo | undefined {
    const row = this.table.get(id);
    return this.table.isLive(row, nowMs) ? this.describe(row, nowMs) : undefined;
  }

  describe(row: LeaseRow, nowMs: number): LeaseInfo {
    const { lifeUntilMs } = row;
    return {
      id: row.id,
      ttlMs: row.ttlMs,
      remainingMs: this.table.leftMs(row, nowMs),
      onEnd: row.onEnd,
      grantedAtMs: row.grantedAtMs,
      ...(lifeUntilMs === undefined ? {} : { lifeRemainingMs: Math.max(0, Math.floor(lifeUntilMs - nowMs)) }),
      shards: this.table.members(row.id),
    };
  }

  /** The end of a lease is being carried out here: no key is attached to it any more. */
  close(id: string, nowMs: number): void {
    this.attachments.markEnded(id, nowMs);
  }

  /** Every shard has carried out the end of a lease: it is forgotten, but for its id, which stays closed for a while. */
  forget(id: string, nowMs: number): void {
    this.table.remove(id);
    this.attachments.markEnded(id, nowMs);
  }

  /** Ends leases whose time is over, a bounded number of them. */
  expire(nowMs: number): void {
    for (const row of this.table.due(nowMs, endsPerStretch)) this.#end(row, nowMs, undefined);
  }

  /** What becomes due here. */
  get due(): readonly DueSource[] {
    const { table, attachments } = this.#parts;
    return [
      { nextMs: () => table.nextMs, run: (nowMs) => this.expire(nowMs) },
      {
        nextMs: () => {
          const oldest = attachments.oldestEndMs;
          return oldest === undefined ? undefined : oldest + leaseTombstoneMs + 1;
        },
        run: (nowMs) => attachments.trimEnds(nowMs - leaseTombstoneMs),
      },
    ];
  }

  #act(command: LeaseCommand, nowMs: number, own: number): LeaseVerdict {
    const { shards, table } = this.#parts;
    if (command.kind === "attach" || command.kind === "detach") {
      for (const key of command.keys) checkShard(shardOf(key, shards), own);
      if (!this.isOpen(command.id, own, nowMs)) throw leaseNotFound();
      const { id, keys } = command;
      return {
        outcome: "ok",
        changed: command.kind === "attach" ? this.#attachAll(id, keys) : this.#detachAll(id, keys),
      };
    }
    checkShard(shardOf(command.id, shards), own);
    if (command.kind === "grant") return this.#grant(command, nowMs);
    const row = table.get(command.id);
    if (row === undefined || row.endedAtMs !== undefined) throw leaseNotFound();
    if (!table.isLive(row, nowMs)) {
      this.#end(row, nowMs, undefined);
      throw leaseNotFound();
    }
    if (command.kind === "revoke") {
      this.#end(row, nowMs, command.opId);
      return { outcome: "ok" };
    }
    const atMs = Math.ceil(nowMs);
    const deadlineMs = Math.min(atMs + row.ttlMs, row.lifeUntilMs ?? Number.POSITIVE_INFINITY);
    table.renew(row.id, deadlineMs, deadlineMs - nowMs);
    return { outcome: "ok", remainingMs: deadlineMs - atMs };
  }

  #grant(command: Extract<LeaseCommand, { kind: "grant" }>, nowMs: number): LeaseVerdict {
    const { table, attachments } = this.#parts;
    const { id, ttlMs, onEnd, maxLifeMs } = command;
    if (table.get(id) !== undefined || attachments.isEnded(id)) throw leaseTaken();
    if (!table.hasRoom(maxLeases)) throw tooManyLeases(maxLeases);
    // Up, so that none is shorter than it was said to be.
    const atMs = Math.ceil(nowMs);
    const deadlineMs = atMs + ttlMs;
    const lifeUntilMs = maxLifeMs === undefined ? undefined : atMs + maxLifeMs;
    const row = { id, ttlMs, onEnd, grantedAtMs: Math.floor(nowMs), deadlineMs, lifeUntilMs };
    table.add({ ...row, endedAtMs: undefined }, deadlineMs - nowMs);
    return { outcome: "ok", remainingMs: ttlMs };
  }

  /** All keys or none; gives how many were not attached before. */
  #attachAll(id: string, keys: readonly string[]): number {
    const { attachments, registrations, strict } = this.#parts;
    for (const key of keys) checkRegistered({ strict }, registrations.settings(key));
    const fresh = [...new Set(keys)].filter((key) => !attachments.has(id, key));
    if (!attachments.hasRoom(id, fresh.length, maxLeaseKeys)) throw leaseFull(maxLeaseKeys);
    for (const key of fresh) this.attach(id, key);
    return fresh.length;
  }

  #detachAll(id: string, keys: readonly string[]): number {
    const { attachments } = this.#parts;
    const attached = [...new Set(keys)].filter((key) => attachments.has(id, key));
    for (const key of attached) attachments.remove(id, key);
    return attached.length;
  }

  /** From here on the lease is not found; its keys follow. */
  #end(row: LeaseRow, nowMs: number, opId: string | undefined): void {
    const { table, log, ending } = this.#parts;
    table.end(row.id, nowMs, opId);
    log.append({ kind: "leaseEnd", key: row.id, version: 0, existed: true, atMs: nowMs });
    ending(row.id, nowMs);
  }

  /** A repeated grant or keepAlive must not let its caller count from now what was left then. */
  #again(verdict: LeaseVerdict, { id }: LeaseCommand, nowMs: number): LeaseVerdict {
    if (verdict.outcome === "fail" || verdict.remainingMs === undefined) return verdict;
    return { ...verdict, remainingMs: this.info(id, nowMs)?.remainingMs ?? 0 };
  }

  #shardOf(key: string): number {
    return shardOf(key, this.#parts.shards);
  }
}

/** Whoever sent it has another picture of the space. */
function checkShard(shard: number, own: number): void {
  if (shard === own) return;
  throw new WarpError("cross_shard", "the lease's home, or a key, lies in another shard");
}

/** What `work` gives; what it refuses becomes a verdict. */
function judged(work: () => LeaseVerdict): LeaseVerdict {
  try {
    return work();
  } catch (error) {
    if (error instanceof WarpError) return { outcome: "fail", error: error.toData() };
    throw error;
  }
}
