import { WarpError } from "../../errors.ts";
import type { LockReply, LockRequest, LockWaitReply, LockWaitRequest } from "../../protocol/lock.ts";
import type { RegistrationSettings } from "../../protocol/registration.ts";
import type {
  MutateReply,
  MutateRequest,
  ReadReply,
  ReadRequest,
  Refusal,
  ShardApi,
  TransactReply,
  TransactRequest,
} from "../../protocol/shard-api.ts";
import type { Caller } from "../../protocol/wire/caller.ts";
import type { WireMethod } from "../../protocol/wire/frames.ts";
import { readCall, type WireCall } from "../../protocol/wire/requests.ts";
import { checkCall } from "./rights.ts";

/** The calls of a shard, some of which want to know the session that makes them. */
export interface SessionCalls extends ShardApi {
  read(request: ReadRequest, session?: string): Promise<ReadReply | Refusal>;
  mutate(request: MutateRequest, session?: string): Promise<MutateReply | Refusal>;
  transact(request: TransactRequest, session?: string): Promise<TransactReply | Refusal>;
  lock(request: LockRequest, session?: string): Promise<LockReply | Refusal>;
  waitLock(request: LockWaitRequest, session?: string): Promise<LockWaitReply | Refusal>;
}

/** Reads policies strictly. Throws `invalid_registration`, `invalid_ttl`. */
export type CheckSettings = (settings: RegistrationSettings) => RegistrationSettings;

const changing: ReadonlySet<WireMethod> = new Set<WireMethod>([
  "mutate",
  "transact",
  "createSpace",
  "deleteSpace",
  "register",
  "unregister",
  "lock",
  "lease",
  "publish",
]);

/** Makes the calls of sessions at their shard. */
export class Calls {
  readonly #shard: SessionCalls;
  readonly #checkSettings: CheckSettings;
  readonly #report: (error: unknown) => void;

  constructor(shard: SessionCalls, checkSettings: CheckSettings, report: (error: unknown) => void) {
    this.#shard = shard;
    this.#checkSettings = checkSettings;
    this.#report = report;
  }

  /** What the shard answers. Rejects with a WarpError whose outcome is true for the call; what is unexpected is reported and `internal`. */
  async make(method: unknown, args: unknown, caller: Caller, session: string): Promise<unknown> {
    const call = readCall(method, args);
    checkCall(call, caller);
    try {
      return await this.#run(call, session);
    } catch (error) {
      if (error instanceof WarpError) throw error;
      this.#report(error);
      throw new WarpError("internal", "the shard failed", {
        cause: error,
        outcome: changing.has(call.m) ? "unknown" : "fail",
      });
    }
  }

  #run(call: WireCall, session: string): Promise<unknown> {
    const shard = this.#shard;
    switch (call.m) {
      case "read":
        return shard.read(call.a[0], session);
      case "mutate":
        return shard.mutate(call.a[0], session);
      case "transact":
        return shard.transact(call.a[0], session);
      case "resolve":
        return shard.resolve(call.a[0]);
      case "list":
        return shard.list(call.a[0]);
      case "changes":
        return shard.changes(call.a[0]);
      case "usage":
        return shard.usage(call.a[0]);
      case "readVersion":
        return shard.readVersion(call.a[0]);
      case "history":
        return shard.history(call.a[0]);
      case "claimLoad":
        return shard.claimLoad(call.a[0]);
      case "getSpace":
        return shard.getSpace(call.a[0]);
      case "createSpace":
        return shard.createSpace(...call.a);
      case "deleteSpace":
        return shard.deleteSpace(...call.a);
      case "getRegistrations":
        return shard.getRegistrations(call.a[0]);
      case "register": {
        const [request] = call.a;
        return shard.register({ ...request, settings: this.#checkSettings(request.settings) });
      }
      case "unregister":
        return shard.unregister(call.a[0]);
      case "lock":
        return shard.lock(call.a[0], session);
      case "waitLock":
        return shard.waitLock(call.a[0], session);
      case "lockInfo":
        return shard.lockInfo(call.a[0]);
      case "listLocks":
        return shard.listLocks(call.a[0]);
      case "observe":
        return shard.observe(call.a[0]);
      case "lease":
        return shard.lease(call.a[0]);
      case "leaseInfo":
        return shard.leaseInfo(call.a[0]);
      case "listLeases":
        return shard.listLeases(call.a[0]);
      case "leaseKeys":
        return shard.leaseKeys(call.a[0]);
      case "publish":
        return shard.publish(call.a[0]);
    }
  }
}
