import { WarpError } from "../../errors.ts";
import type { Refusal } from "../../protocol/call-scope.ts";
import type {
  LockReply,
  LockRequest,
  LockShardApi,
  LockWaitReply,
  LockWaitRequest,
} from "../../protocol/lock.ts";
import { refuse } from "../refusal.ts";

/** The calls about locks and elections. */
export class LockCalls implements LockShardApi {
  async lock(_request: LockRequest, _session?: string): Promise<LockReply | Refusal> {
    return none();
  }

  async waitLock(_request: LockWaitRequest, _session?: string): Promise<LockWaitReply | Refusal> {
    return none();
  }

  lockInfo: LockShardApi["lockInfo"] = async () => none();
  listLocks: LockShardApi["listLocks"] = async () => none();
  observe: LockShardApi["observe"] = async () => none();
}

function none() {
  return refuse(new WarpError("unsupported", "this shard keeps no locks"));
}
