import type { WatchTarget } from "../../protocol/watch.ts";
import { maxNamedMembers } from "../../runtime/limits.ts";
import type { PresenceNews, PresenceSeat } from "../watchbus.ts";

/** Who is at one target. */
interface Room {
  readonly seats: Map<string, PresenceSeat>;
  readonly shown: Map<string, unknown>;
}

/** Who is there, among the watches of one bus. */
export class MemoryPresence {
  readonly #rooms = new Map<string, Room>();
  #last = 0;

  /** A watch of `target` begins; the answer, once, ends its part. Throws what the seat refuses. */
  join(target: WatchTarget, seat: PresenceSeat): () => void {
    const name = "key" in target ? `k${target.key}` : `p${target.prefix}`;
    const room: Room = this.#rooms.get(name) ?? { seats: new Map(), shown: new Map() };
    const member = String(++this.#last);
    let isSeated = false;
    const say = (data: unknown): void => {
      if (data === null ? !room.shown.delete(member) : room.shown.set(member, data) === undefined) return;
      if (isSeated) tell({ es: [[member, data]] });
    };
    const tell = (news: PresenceNews): void => {
      const isMany = room.shown.size > maxNamedMembers;
      // Those who were counted until now are told their names again.
      const wereMany = room.shown.size === maxNamedMembers && news.es.some(([, data]) => data === null);
      for (const [own, one] of room.seats) {
        const me = room.shown.has(own) ? { me: own } : {};
        if (isMany || wereMany) one.told({ ...all(room), ...me });
        else one.told({ ...news, ...me });
      }
    };
    seat.take(say);
    room.seats.set(member, seat);
    this.#rooms.set(name, room);
    isSeated = true;
    seat.told({ ...all(room), ...(room.shown.has(member) ? { me: member } : {}) });
    const own = room.shown.get(member);
    if (own !== undefined) tell({ es: [[member, own]] });
    return () => {
      room.seats.delete(member);
      seat.leave();
      if (room.shown.delete(member)) tell({ es: [[member, null]] });
      if (room.seats.size === 0) this.#rooms.delete(name);
    };
  }
}

function all({ shown }: Room): PresenceNews {
  return shown.size > maxNamedMembers ? { all: true, es: [], n: shown.size } : { all: true, es: [...shown] };
}
