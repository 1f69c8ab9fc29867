import { LoadClaims } from "../protocol/load-claims.ts";
import type { ShardApi } from "../protocol/shard-api.ts";
import type { Clock } from "../runtime/clock.ts";
import { steadyClock } from "../runtime/steady-clock.ts";
import { Admission } from "./admission.ts";
import { type DueSource, dueOf } from "./alarms.ts";
import { Beside } from "./beside.ts";
import type { GroupCommit } from "./group-commit.ts";
import { LeaseCalls } from "./lease/lease-calls.ts";
import { noPeers } from "./lease/peers.ts";
import { LoadCalls } from "./load-calls.ts";
import { LockCalls } from "./lock/lock-calls.ts";
import { LockInstance, type LockSessions } from "./lock/lock-instance.ts";
import { LockReads } from "./lock/lock-reads.ts";
import type { LeaseGrants, Members } from "./members.ts";
import { PublishedLog } from "./published-log.ts";
import { ReadCalls } from "./read-calls.ts";
import { Residence } from "./residence.ts";
import { shardCommit } from "./shard-commit.ts";
import type { ShardOptions } from "./shard-options.ts";
import { SpaceCalls } from "./space-calls.ts";
import { SpentTokens } from "./spent-tokens.ts";
import { Authority } from "./strong/authority.ts";
import { Strong } from "./strong/strong.ts";
import { Watching } from "./watching.ts";
import type { WitnessSlot } from "./witness.ts";
import { WriteCalls } from "./write-calls.ts";
import { WritePath } from "./write-path.ts";

export type { ShardOptions } from "./shard-options.ts";

/** What a call takes, and what it gives. */
type Asked<M extends keyof ShardApi> = Parameters<ShardApi[M]>[0];
type Answered<M extends keyof ShardApi> = ReturnType<ShardApi[M]>;

/**
 * The authority for a part of a space's keys. This class only admits calls and puts them in order; what is done with them is in the
 * files beside it.
 */
export class Shard implements ShardApi {
  readonly #options: ShardOptions;
  readonly #residence: Residence;
  readonly #commit: GroupCommit;
  readonly #admission: Admission;
  readonly #space: SpaceCalls;
  readonly #beside: Beside;
  readonly #loads: LoadCalls;
  readonly #reads: ReadCalls;
  readonly #writes: WriteCalls;
  readonly #strong: Strong;
  readonly #lockInstance: LockInstance;
  readonly #locks: LockCalls;
  readonly #lockReads: LockReads;
  /** What other shards ask about leases, and a Worker about tokens, is asked of them directly. */
  readonly leases: LeaseCalls;
  readonly tokens: SpentTokens;
  /** What of the log may be told. */
  readonly published: PublishedLog;
  /** What those who watch are told, and what is kept of them. */
  readonly watching: Watching;
  readonly elapsed: Clock;
  #waker: DueSource | undefined;

  constructor(options: ShardOptions) {
    this.#options = options;
    const { clock, timers } = options;
    this.elapsed = options.elapsed ?? steadyClock(clock);
    const { elapsed } = this;
    const due = [
      dueOf(() => this.#waker),
      dueOf(() => this.#strong?.due),
      dueOf(() => this.leases?.ends),
      dueOf(() => this.watching?.relays),
      ...Beside.due(() => this.#beside),
    ];
    const followed = { seenMs: undefined };
    this.#lockInstance = new LockInstance(clock, elapsed);
    const lockInstance = this.#lockInstance;
    const witness: WitnessSlot = {};
    const residence = new Residence({
      ...options,
      witness,
      elapsed,
      due,
      followed,
      lockInstance,
      leaseEnding: (id, nowMs) => this.leases.ends.begin(id, nowMs),
      leaseTimes: new Map(),
      wiped: () => {
        this.leases.ends.wiped();
        this.#beside.end();
      },
    });
    this.#residence = residence;
    this.published = new PublishedLog(residence, options.durable);
    const authority = new Authority(elapsed);
    const { published } = this;
    const { groupCommit: grouping = true } = options;
    this.#commit = shardCommit({ residence, authority, lockInstance, published, grouping });
    const commit = this.#commit;
    this.#strong = new Strong({ residence, commit, authority, clock, elapsed, timers });
    const path = new WritePath(clock, commit, this.#strong, () => this.#beside.behind.present?.begin());
    const behindParts = { ...options, residence, commit, published, witness, path };
    this.#beside = new Beside(options, behindParts, followed, () => this.#writes);
    this.#admission = new Admission(residence, commit, options.home, this.#strong, this.#beside);
    this.#space = new SpaceCalls(options, residence, commit, this.#admission, this.#strong);
    this.#loads = new LoadCalls(new LoadClaims(clock, timers), residence, this.#admission);
    // Where it fails nothing is told, and the host ends the instance, as it does for the read that wrote this.
    const expired = () => void lockInstance.saying(() => this.published.settle()).catch(() => undefined);
    this.#reads = new ReadCalls({ ...options, expired }, residence, commit, this.#admission, this.#strong);
    const { peer: peers = noPeers } = options;
    const admission = this.#admission;
    const shared = { clock, timers, residence, commit, admission };
    this.leases = new LeaseCalls({ ...shared, strong: this.#strong, path, peers });
    const { claims } = this.#loads;
    const { joins } = this.leases;
    this.#writes = new WriteCalls(clock, residence, commit, admission, claims, this.#strong, path, joins);
    this.tokens = new SpentTokens(options, residence, commit);
    const parts = { ...shared, authority, instance: lockInstance };
    this.#locks = new LockCalls(parts);
    this.#lockReads = new LockReads(parts);
    this.watching = new Watching({ ...shared, published, renew: () => this.renew() }, options);
  }

  /**
   * Begins to work with the sessions that `members` knows; call it before the first of them is let in. Without it nobody holds
   * copies of strong keys.
   */
  serve(members: Members): LeaseGrants {
    return this.#strong.serve(members);
  }

  /** Applies what was proposed around this shard, up to a place. Rejects where that can't be done now. */
  async drain(place: string): Promise<void> {
    await this.#beside.follow.enter(this.#residence.open()?.space, place);
  }

  /** Has `source` run when it is due; the answer is to be called when its due time has changed. */
  wakeFor(source: DueSource): () => void {
    this.#waker = source;
    return () => this.#residence.open()?.alarms.arm();
  }

  /** Draws a new epoch: a node has seen what this log has never reached. */
  renew(): Promise<void> {
    return this.#commit.submit(() => void this.#residence.renew());
  }

  /** `session`: the one that asks, for calls over a socket only. */
  read(request: Asked<"read">, session?: string): Answered<"read"> {
    return this.#reads.read(request, session);
  }

  list(request: Asked<"list">): Answered<"list"> {
    return this.#reads.list(request);
  }

  changes(request: Asked<"changes">): Answered<"changes"> {
    return this.#reads.changes(request);
  }

  usage(request: Asked<"usage">): Answered<"usage"> {
    return this.#reads.usage(request);
  }

  readVersion(request: Asked<"readVersion">): Answered<"readVersion"> {
    return this.#reads.readVersion(request);
  }

  history(request: Asked<"history">): Answered<"history"> {
    return this.#reads.history(request);
  }

  /** `session`: the writer's, whose node does not count for a quorum. */
  mutate(request: Asked<"mutate">, session?: string): Answered<"mutate"> {
    return this.#writes.mutate(request, session);
  }

  /** `session` as for {@link mutate}. */
  transact(request: Asked<"transact">, session?: string): Answered<"transact"> {
    return this.#writes.transact(request, session);
  }

  resolve(request: Asked<"resolve">): Answered<"resolve"> {
    return this.#writes.resolve(request);
  }

  claimLoad(request: Asked<"claimLoad">): Answered<"claimLoad"> {
    return this.#loads.claimLoad(request);
  }

  getSpace(space: string): Answered<"getSpace"> {
    return this.#space.getSpace(space);
  }

  createSpace(...options: Parameters<ShardApi["createSpace"]>): Answered<"createSpace"> {
    return this.#space.createSpace(...options);
  }

  async deleteSpace(...how: Parameters<ShardApi["deleteSpace"]>): Answered<"deleteSpace"> {
    const reply = await this.#space.deleteSpace(...how);
    const [, step] = how;
    if (step === "finish") {
      this.#loads.claims.clear();
      // Behind the reply, which may have to leave over one of the sockets that this ends.
      this.#options.timers.after(0, () => {
        if (this.#residence.open() === undefined) this.published.end();
      });
    }
    return reply;
  }

  getRegistrations(request: Asked<"getRegistrations">): Answered<"getRegistrations"> {
    return this.#space.getRegistrations(request);
  }

  register(request: Asked<"register">): Answered<"register"> {
    return this.#space.register(request);
  }

  unregister(request: Asked<"unregister">): Answered<"unregister"> {
    return this.#space.unregister(request);
  }

  /** Begins to end what is tied to sessions, and to tell them of ends. The answer is to be called when the socket of one has ended. */
  serveLocks(sessions: LockSessions): (session: string) => void {
    this.#lockInstance.serve(sessions);
    return (session) => this.#locks.left(session);
  }

  /** `session`: the one that asks, for calls over a socket only. */
  lock(request: Asked<"lock">, session?: string): Answered<"lock"> {
    return this.#locks.lock(request, session);
  }

  /** `session` as for {@link lock}. */
  waitLock(request: Asked<"waitLock">, session?: string): Answered<"waitLock"> {
    return this.#locks.waitLock(request, session);
  }

  lockInfo(request: Asked<"lockInfo">): Answered<"lockInfo"> {
    return this.#lockReads.lockInfo(request);
  }

  listLocks(request: Asked<"listLocks">): Answered<"listLocks"> {
    return this.#lockReads.listLocks(request);
  }

  observe(request: Asked<"observe">): Answered<"observe"> {
    return this.#lockReads.observe(request);
  }

  lease(request: Asked<"lease">): Answered<"lease"> {
    return this.leases.lease(request);
  }

  leaseInfo(request: Asked<"leaseInfo">): Answered<"leaseInfo"> {
    return this.leases.leaseInfo(request);
  }

  listLeases(request: Asked<"listLeases">): Answered<"listLeases"> {
    return this.leases.listLeases(request);
  }

  leaseKeys(request: Asked<"leaseKeys">): Answered<"leaseKeys"> {
    return this.leases.leaseKeys(request);
  }

  publish(request: Asked<"publish">): Answered<"publish"> {
    return this.watching.publishing.publish(request);
  }

  /** The host's alarm went off: does what is due and sets it again. */
  async onAlarm(): Promise<void> {
    const ledger = this.#residence.open();
    if (ledger === undefined) return;
    await this.#beside.woken(ledger.space);
    await this.#commit.submit(() => this.#residence.open()?.alarms.ring(this.#options.clock.now()));
    await this.#beside.idle();
  }

  /** How many shards the space has; 0 where nothing was ever written here. */
  get shards(): number {
    return this.#residence.open()?.space.shards ?? 0;
  }

  /** Commits since this shard woke, the calls in them, and the newest revision of its log. */
  get figures(): { readonly commits: number; readonly works: number; readonly logHead: number } {
    return { ...this.#commit.stats, logHead: this.#residence.open()?.log.head ?? 0 };
  }
}
