import { WarpError } from "../../errors.ts";
import { closeCodes } from "../../protocol/wire/frames.ts";
import type { Timers } from "../../runtime/clock.ts";
import { maxSlowMs } from "../../runtime/limits.ts";
import type { Watch } from "../../watchbus/watchbus.ts";
import type { WatchDoor } from "../deployment.ts";
import { problemFacts, problems } from "../problem.ts";
import { itemText } from "./item-text.ts";
import { Marks } from "./marks.ts";
import { type Told, within } from "./told.ts";

/** The subprotocol of plain sockets, for callers who have to offer one. */
export const plainProtocol = "warp.watch.json";

/** How a socket ends whose watch has ended for good: the space is gone, the rights are, or the shard is. */
function closeCodeOf(status: number): number {
  if (status >= 500) return closeCodes.overloaded;
  return status === 404 ? closeCodes.spaceGone : closeCodes.unauthorized;
}

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
 * (rule WA3). What has not been seen to arrive is bounded (rule WA7): the other end sends {@link Marks} back.
 */
export function plainSocket(options: PlainSocketOptions): Response {
  const { upgrade, protocol, watch, told, timers, report } = options;
  const marks = new Marks();
  let isOver = false;
  let goOn = (): void => {};
  const leave = (): void => {
    isOver = true;
    goOn();
    watch.end();
    void told.return();
  };
  const refuse = (code: number, reason: string): void => {
    leave();
    socket.close(code, reason);
  };
  const { socket, response } = upgrade(protocol, {
    message: (data) => {
      if (isOver) return;
      if (marks.returned(data)) goOn();
      else refuse(closeCodes.invalidFrame, "invalid_frame: this socket takes marks only");
    },
    closed: leave,
  });
  /** Sends it where that is not too much at once; waits for marks first. One that takes in nothing is closed. */
  const send = async (message: string): Promise<void> => {
    while (marks.areTooFew && !isOver) {
      const isBack = new Promise<true>((resolve) => {
        goOn = () => resolve(true);
      });
      if ((await within(timers, maxSlowMs, isBack)) === undefined) {
        refuse(closeCodes.slow, "overloaded: marks are not sent back");
      }
    }
    if (isOver) return;
    socket.send(message);
    const mark = marks.sent(message);
    if (mark !== undefined) socket.send(mark);
  };
  const run = async (): Promise<void> => {
    await send(positionText(watch));
    for await (const one of told) {
      for (const message of textsOf(one, options)) await send(message);
      if (isOver) return;
      if (one.kind === "rotate") refuse(closeCodes.restarting, "connect again");
      else if (one.kind === "end") refuse(closeCodeOf(problems[one.error.code].status), one.error.code);
    }
  };
  void run().catch((error: unknown) => {
    report(error);
    refuse(closeCodes.overloaded, "internal");
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
