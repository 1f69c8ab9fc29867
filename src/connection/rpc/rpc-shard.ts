import { WarpError } from "../../errors.ts";
import type { MutateReply, MutateRequest, Refusal, RpcShardApi, ShardApi } from "../../protocol/shard-api.ts";
import type { Background } from "../../runtime/background.ts";
import type { Clock } from "../../runtime/clock.ts";
import { Lane } from "./lane.ts";

/** What the calls of an isolate need to travel together. */
export interface LaneHost {
  readonly background: Background;
  readonly clock: Clock;
}

/** The mutations of an isolate to one shard; `stub` makes a stub of its object. */
export function mutationLane(
  stub: () => RpcShardApi,
  { background, clock }: LaneHost,
): Lane<MutateRequest, MutateReply | Refusal> {
  return new Lane({
    send: (request) => stub().mutate(request),
    sendMany: async (requests) => {
      const ends = await stub().mutateMany(requests);
      return ends.map((end) =>
        "thrown" in end
          ? { status: "rejected", reason: WarpError.fromData(end.thrown) }
          : { status: "fulfilled", value: end },
      );
    },
    background,
    clock,
    sizeOf: ({ mutations }) => mutations.reduce((bytes, one) => bytes + sizeOf(one), 0),
  });
}

function sizeOf(mutation: MutateRequest["mutations"][number]): number {
  if (mutation.kind === "set") return mutation.payload.bytes.length;
  return mutation.kind === "merge" ? mutation.operand.bytes.length : 0;
}

/** The calls of a shard's object, each on a stub of its own, but for mutations, which go by a lane. */
export function viaLane(stub: () => RpcShardApi, lane: Pick<ShardApi, "mutate">): ShardApi {
  return {
    mutate: (request) => lane.mutate(request),
    read: (request) => stub().read(request),
    transact: (request) => stub().transact(request),
    resolve: (request) => stub().resolve(request),
    list: (request) => stub().list(request),
    changes: (request) => stub().changes(request),
    usage: (request) => stub().usage(request),
    readVersion: (request) => stub().readVersion(request),
    history: (request) => stub().history(request),
    claimLoad: (request) => stub().claimLoad(request),
    getSpace: (space) => stub().getSpace(space),
    createSpace: (space, options) => stub().createSpace(space, options),
    deleteSpace: (space, step, spaceId) => stub().deleteSpace(space, step, spaceId),
    getRegistrations: (request) => stub().getRegistrations(request),
    register: (request) => stub().register(request),
    unregister: (request) => stub().unregister(request),
    lock: (request) => stub().lock(request),
    waitLock: (request) => stub().waitLock(request),
    lockInfo: (request) => stub().lockInfo(request),
    listLocks: (request) => stub().listLocks(request),
    observe: (request) => stub().observe(request),
    lease: (request) => stub().lease(request),
    leaseInfo: (request) => stub().leaseInfo(request),
    listLeases: (request) => stub().listLeases(request),
    leaseKeys: (request) => stub().leaseKeys(request),
    publish: (request) => stub().publish(request),
  };
}
