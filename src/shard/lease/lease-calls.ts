import type { WarpError } from "../../errors.ts";
import type {
  LeaseCommand,
  LeaseEndReply,
  LeaseEndRequest,
  LeaseInfoReply,
  LeaseInfoRequest,
  LeaseJoinReply,
  LeaseJoinRequest,
  LeaseKeysReply,
  LeaseKeysRequest,
  LeaseListReply,
  LeaseListRequest,
  LeasePeerApi,
  LeaseReply,
  LeaseRequest,
  LeaseShardApi,
  LeaseVerdict,
} from "../../protocol/lease.ts";
import { checkLeaseCount, checkLeasePage, leaseNotFound } from "../../protocol/lease-rules.ts";
import { type CallScope, isRefusal, type Refusal } from "../../protocol/shard-api.ts";
import type { Clock, Timers } from "../../runtime/clock.ts";
import type { Admission } from "../admission.ts";
import type { GroupCommit } from "../group-commit.ts";
import type { Ledger } from "../ledger.ts";
import { gone, refuse, refusing } from "../refusal.ts";
import type { Residence } from "../residence.ts";
import type { Strong } from "../strong/strong.ts";
import { unwritten } from "../unwritten.ts";
import type { WritePath } from "../write-path.ts";
import { Joins } from "./joins.ts";
import { KeyEnds } from "./key-ends.ts";
import { LeaseEnds } from "./lease-ends.ts";
import type { LeasePeers } from "./peers.ts";

/** What calls about leases need of their shard. */
export interface LeaseCallsParts {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly residence: Residence;
  readonly commit: GroupCommit;
  readonly admission: Admission;
  readonly strong: Pick<Strong, "ready">;
  readonly path: WritePath;
  readonly peers: LeasePeers;
}

/** The calls about leases: of nodes, and of other shards. */
export class LeaseCalls implements LeaseShardApi, LeasePeerApi {
  readonly #parts: LeaseCallsParts;
  readonly #keys: KeyEnds;
  readonly ends: LeaseEnds;
  readonly joins: Joins;

  constructor(parts: LeaseCallsParts) {
    this.#parts = parts;
    this.#keys = new KeyEnds(parts);
    this.ends = new LeaseEnds({ ...parts, keys: this.#keys });
    this.joins = new Joins(parts);
  }

  /** A revoke is answered when its end has been carried out, also where the lease had ended before and that was still under way. */
  async lease(request: LeaseRequest): Promise<LeaseReply | Refusal> {
    const { commands } = request;
    const wrong = refusing(() => checkLeaseCount(commands.length));
    if (wrong !== undefined) return wrong;
    const admitted = await this.#parts.admission.admit(request, "write");
    if (admitted !== undefined && isRefusal(admitted)) return admitted;
    const unasked = await this.joins.join(attached(commands), request);
    const reply = await this.#parts.commit.submit(() => this.#run(request, unasked), commands.length);
    if (isRefusal(reply)) return reply;
    if (reply.ending.length > 0) await Promise.all(reply.ending.map((id) => this.ends.done(id)));
    const ledger = this.#parts.residence.open();
    return ledger === undefined ? gone() : { ...ledger.stamp(), verdicts: reply.verdicts };
  }

  leaseInfo(request: LeaseInfoRequest): Promise<LeaseInfoReply | Refusal> {
    return this.#read(request, (ledger, nowMs) => {
      const info = ledger?.leases.info(request.id, nowMs) ?? null;
      return { ...(ledger?.stamp() ?? unwritten), info };
    });
  }

  listLeases(request: LeaseListRequest): Promise<LeaseListReply | Refusal> {
    const { after = "", limit } = request;
    return this.#read(request, (ledger, nowMs) => {
      checkLeasePage(limit);
      if (ledger === undefined) return { ...unwritten, leases: [], more: false };
      const rows = ledger.leases.table.list(after, limit + 1);
      const leases = rows.slice(0, limit).map((row) => ledger.leases.describe(row, nowMs));
      return { ...ledger.stamp(), leases, more: rows.length > limit };
    });
  }

  leaseKeys(request: LeaseKeysRequest): Promise<LeaseKeysReply | Refusal> {
    const { id, after, limit } = request;
    return this.#read(request, (ledger) => {
      checkLeasePage(limit);
      if (ledger === undefined) return { ...unwritten, keys: [], more: false };
      const keys = ledger.leases.attachments.page(id, after, limit + 1);
      return { ...ledger.stamp(), keys: keys.slice(0, limit), more: keys.length > limit };
    });
  }

  async joinLease(request: LeaseJoinRequest): Promise<LeaseJoinReply | Refusal> {
    const { clock, admission, commit, residence } = this.#parts;
    const admitted = await admission.admit(request, "read");
    if (admitted === undefined) return refuse(leaseNotFound());
    if (isRefusal(admitted)) return admitted;
    return await commit.submit(() =>
      refusing(() => {
        const ledger = residence.admit(request);
        if (isRefusal(ledger)) return ledger;
        ledger.leases.addMember(request.id, request.member, clock.now());
        return { ...ledger.stamp(), joined: true };
      }),
    );
  }

  /** Of a life of the space that is not here nothing is left to end. */
  async endLease(request: LeaseEndRequest): Promise<LeaseEndReply | Refusal> {
    const { residence, strong } = this.#parts;
    await strong.ready();
    const { id, onEnd, spaceId } = request;
    const keys = spaceId === undefined ? 0 : await this.#keys.end(id, onEnd, spaceId);
    return { ...(residence.open()?.stamp() ?? unwritten), keys };
  }

  #run(
    request: LeaseRequest,
    unasked: ReadonlyMap<string, WarpError>,
  ): { readonly verdicts: readonly LeaseVerdict[]; readonly ending: readonly string[] } | Refusal {
    const ledger = this.#parts.residence.admit(request);
    if (isRefusal(ledger)) return ledger;
    const nowMs = this.#parts.clock.now();
    const ending: string[] = [];
    const verdicts = request.commands.map((command): LeaseVerdict => {
      const error = isAttachment(command) ? unasked.get(command.id) : undefined;
      // Not kept: nothing was decided. What was done before under this op id is told all the same.
      if (error !== undefined && !ledger.knows(command.opId))
        return { outcome: "fail", error: error.toData() };
      const verdict = ledger.leases.run(command, nowMs, request.shard);
      const row = command.kind === "revoke" ? ledger.leases.table.get(command.id) : undefined;
      if (row?.endedAtMs !== undefined) ending.push(row.id);
      return verdict;
    });
    return { verdicts, ending };
  }

  /** A committed read. What is due is ended first, so that it is told of nobody any more. */
  async #read<R extends object>(
    request: CallScope,
    read: (ledger: Ledger | undefined, nowMs: number) => R,
  ): Promise<R | Refusal> {
    const { admission, commit, clock } = this.#parts;
    const admitted = await admission.admit(request, "read");
    if (admitted !== undefined && isRefusal(admitted)) return admitted;
    const nextMs = admitted?.leases.table.nextMs;
    if (nextMs !== undefined && nextMs <= clock.now()) {
      await commit.submit(() => this.#parts.residence.open()?.leases.expire(clock.now()));
    }
    const ledger = admitted === undefined ? undefined : this.#parts.residence.admit(request);
    if (ledger !== undefined && isRefusal(ledger)) return ledger;
    return refusing(() => read(ledger, clock.now()));
  }
}

type Attachment = Extract<LeaseCommand, { kind: "attach" | "detach" }>;

function isAttachment(command: LeaseCommand): command is Attachment {
  return command.kind === "attach" || command.kind === "detach";
}

/** The leases whose keys are to change. */
function attached(commands: readonly LeaseCommand[]): string[] {
  return commands.filter(isAttachment).map(({ id }) => id);
}
