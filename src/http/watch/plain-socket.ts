import { WarpError } from "../../errors.ts";
import { closeCodes } from "../../protocol/wire/frames.ts";
import type { Timers } from "../../runtime/clock.ts";
import { maxSlowMs, slowBytes, slowSocketMs } from "../../runtime/limits.ts";
import type { Watch } from "../../watchbus/watchbus.ts";
import type { WatchDoor } from "../deployment.ts";
import { problemFacts } from "../problem.ts";
import { itemText } from "./item-text.ts";
import { type Told, within } from "./told.ts";

/** The subprotocol of plain sockets, for callers who have to offer one. */
export const plainProtocol = "warp.watch.json";

/** How a socket ends whose watch has ended for good. */
const closeByCode: ReadonlyMap<string, number> = new Map([
  ["token_expired", closeCodes.unauthorized],
  ["forbidden", closeCodes.unauthorized],
  ["space_not_found", closeCodes.spaceGone],
]);

/** What {@link plainSocket} takes. */
export interface PlainSocketOptions {
  readonly upgrade: NonNullable<WatchDoor["upgrade"]>;
  readonly protocol: string | undefined;
  readonly watch: Pick<Watch, "cursor" | "end">;
  readonly told: AsyncGenerator<Told, void, void>;
  readonly timers: Timers;
  readonly requestId: string;
  /** Takes what failed unexpectedly. */
  readonly report: (error: unknown) => void;
}

/**
 * A watch over a socket: each message is one JSON object, that of an event of the stream with its `cursor`. The first, and one after each silence, tells the position
 * (rule WA3). It takes no messages.
 */
export function plainSocket(options: PlainSocketOptions): Response {
  const { upgrade, protocol, watch, told, report } = options;
  let isOver = false;
  const leave = (): void => {
    isOver = true;
    watch.end();
    void told.return();
  };
  const { socket, response } = upgrade(protocol, {
    message: () => {
      if (isOver) return;
      leave();
      socket.close(closeCodes.invalidFrame, "invalid_frame: this socket takes no messages");
    },
    closed: leave,
  });
  const run = async (): Promise<void> => {
    socket.send(positionText(watch));
    for await (const one of told) {
      for (const message of textsOf(one, options)) {
        if (isOver) return;
        socket.send(message);
        if (socket.bufferedBytes > slowBytes) await taken();
      }
      if (one.kind === "rotate") socket.close(closeCodes.restarting, "connect again");
      else if (one.kind === "end") {
        const { code } = one.error;
        socket.close(closeByCode.get(code) ?? closeCodes.overloaded, code);
      }
    }
  };
  /** Waits until the other end has taken in most of what was sent; one that takes in nothing is closed. */
  const taken = async (): Promise<void> => {
    for (let waitedMs = 0; socket.bufferedBytes > slowBytes && !isOver; waitedMs += slowSocketMs) {
      if (waitedMs >= maxSlowMs) {
        leave();
        socket.close(closeCodes.slow, "overloaded: the socket takes nothing in");
        return;
      }
      await within(options.timers, slowSocketMs, new Promise<never>(() => {}));
    }
  };
  void run().catch((error: unknown) => {
    report(error);
    leave();
    socket.close(closeCodes.overloaded, "internal");
  });
  return response;
}

function positionText({ cursor }: Pick<Watch, "cursor">): string {
  return JSON.stringify({ kind: "position", cursor });
}

function textsOf(told: Told, { watch, requestId }: PlainSocketOptions): readonly string[] {
  switch (told.kind) {
    case "items":
      return told.items.map((item) => itemText(item, { cursor: item.cursor }));
    case "idle":
      return [positionText(watch)];
    case "rotate":
      return ['{"kind":"rotate"}'];
    case "end":
      return [JSON.stringify({ kind: "end", ...problemFacts(told.error, requestId) })];
  }
}

/** Throws `unsupported` where this host opens no sockets. */
export function upgradeOf({ upgrade }: WatchDoor): NonNullable<WatchDoor["upgrade"]> {
  if (upgrade === undefined) throw new WarpError("unsupported", "this host opens no sockets");
  return upgrade;
}
