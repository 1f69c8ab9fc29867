import type { Position } from "../../protocol/position.ts";
import { type Change, type Mutation, scopeOpId } from "../../protocol/shard-api.ts";
import { uuidv7 } from "../../runtime/ids.ts";
import type { BusHost } from "../bus-end.ts";
import type { BusEvent, BusMessage, BusTarget } from "../syncbus.ts";

/** A message as what a shard does for it: an invalidation is a log entry and changes nothing that is stored. */
export function toMutation(
  message: BusMessage,
  { clock, random }: Pick<BusHost, "clock" | "random">,
  subject: string,
): Mutation {
  const opId = scopeOpId(subject, uuidv7(clock, random));
  if ("key" in message) return { kind: "invalidate", opId, key: message.key };
  if ("prefix" in message) return { kind: "invalidatePrefix", opId, prefix: message.prefix };
  return { kind: "invalidateTag", opId, tag: message.tag };
}

/** Log entries as events. A changed registration and the end of a lease are none: they are about no copy. */
export function toEvents(shard: number, epoch: string, changes: readonly Change[]): readonly BusEvent[] {
  let before = 0;
  let seq = 0;
  return changes.flatMap(({ kind, key, revision }): readonly BusEvent[] => {
    seq = revision === before ? seq + 1 : 0;
    before = revision;
    if (kind === "register" || kind === "leaseEnd") return [];
    const target: BusTarget =
      kind === "invalidatePrefix" ? { prefix: key } : kind === "invalidateTag" ? { tag: key } : { key };
    return [{ ...target, id: `${epoch}.${shard}.${revision}.${seq}`, position: { shard, epoch, revision } }];
  });
}

/** The event of a log that can't say what happened. */
export function everything(position: Position): BusEvent {
  const { shard, epoch, revision } = position;
  return { prefix: "", id: `${epoch}.${shard}.${revision}.*`, position };
}
