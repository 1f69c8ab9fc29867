import type { ReadReply, ShardApi } from "../../protocol/shard-api.ts";
import type { WireMethod } from "../../protocol/wire/frames.ts";
import type { ShardLink } from "./shard-link.ts";

/** The calls of one shard over its link. */
export function socketShard(link: ShardLink): ShardApi {
  // What comes back is what the shard's method gave: the frames carry it as it is.
  const call = <M extends WireMethod>(method: M): ShardApi[M] =>
    (async (...args: readonly unknown[]) => await link.call(method, args, same)) as ShardApi[M];
  return {
    read: async (request) => {
      if (request.hold === true) link.wantLease();
      return (await link.call("read", [request], withTenure)) as ReadReply;
    },
    mutate: call("mutate"),
    transact: call("transact"),
    resolve: call("resolve"),
    list: call("list"),
    changes: call("changes"),
    usage: call("usage"),
    readVersion: call("readVersion"),
    history: call("history"),
    claimLoad: call("claimLoad"),
    getSpace: call("getSpace"),
    createSpace: call("createSpace"),
    deleteSpace: call("deleteSpace"),
    getRegistrations: call("getRegistrations"),
    register: call("register"),
    unregister: call("unregister"),
    lock: call("lock"),
    waitLock: call("waitLock"),
    lockInfo: call("lockInfo"),
    listLocks: call("listLocks"),
    observe: call("observe"),
    lease: call("lease"),
    leaseInfo: call("leaseInfo"),
    listLeases: call("listLeases"),
    leaseKeys: call("leaseKeys"),
    publish: call("publish"),
  };
}

function same(reply: object): object {
  return reply;
}

/** Permissions belong to the tenure in which they arrive; a little later it may be another. */
function withTenure(reply: object, tenure: number): object {
  return "held" in reply ? { ...reply, tenure } : reply;
}
