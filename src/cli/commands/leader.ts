import type { HolderRecord } from "../../client/locks.ts";
import { payloadOf } from "../../client/record.ts";
import { isWarpError } from "../../errors.ts";
import type { ElectionEvent } from "../../protocol/lock.ts";
import type { Payload } from "../../protocol/payload.ts";
import { maxLockPollMs } from "../../runtime/coordination-limits.ts";
import type { Command } from "../command.ts";
import { withLocks } from "../coordination.ts";
import { shownName, shownValue } from "../text.ts";

/** Between two tries while the server can't be reached, in ms. */
const retryMs = 1_000;

function valueText(value: Payload | undefined): string {
  return value === undefined ? "" : shownValue(value.bytes, value.contentType);
}

function lineOf(word: string, owner: string, fence: number, value: Payload | undefined): string {
  const text = valueText(value);
  return `${word}\t${shownName(owner)}\t${fence}${text === "" ? "" : `\t${text}`}\n`;
}

function stepLine({ kind, owner, fence, value, reason }: ElectionEvent): string {
  return lineOf(reason === undefined ? kind : `${kind} (${reason})`, owner, fence, value);
}

function leaderText(leader: HolderRecord, onlyValue: boolean): string {
  const value = payloadOf(leader);
  return onlyValue ? `${valueText(value)}\n` : lineOf("leads", leader.owner, leader.fence, value);
}

export const leader: Command = {
  name: "leader",
  summary: "print who leads an election",
  arguments: [{ name: "NAME", help: "the election" }],
  flags: [
    { name: "value", help: "print only what the leader says" },
    { name: "follow", help: "then print each step as it comes, until you stop it" },
  ],
  notes: [
    "A line has what happened, the owner, the fence and the value, with tabs between. Where nobody leads nothing is printed and the exit code is 3, without --follow.",
    "--follow goes on by itself after the server was away, and says on stderr where steps were missed.",
  ],
  examples: [
    { line: "warp leader nobody", exit: 3 },
    { line: "warp elect scheduler one -- warp leader scheduler --value", prints: ["one"] },
  ],
  async run(context, args) {
    const { host, json } = context;
    args.atMostOne("value", "follow");
    const name = args.at(0);
    const follow = args.has("follow");
    return await withLocks(context, async (locks) => {
      const now = await locks.leader(name);
      if (now.leader !== null) {
        await host.stdout.write(
          json ? `${JSON.stringify(now.leader)}\n` : leaderText(now.leader, args.has("value")),
        );
      } else if (!follow) return 3;
      if (!follow) return undefined;
      for (let after = now.cursor; ; ) {
        try {
          const timeoutMs = maxLockPollMs + context.timeoutMs;
          const seen = await locks.observe(name, after, { waitMs: maxLockPollMs, timeoutMs });
          if (seen.gap) await host.stderr.write("warp: steps before this were not kept\n");
          const lines = seen.events.map((step) => (json ? `${jsonOf(step)}\n` : stepLine(step)));
          if (lines.length > 0) await host.stdout.write(lines.join(""));
          after = seen.cursor;
        } catch (error) {
          if (!isWarpError(error) || !error.retryable) throw error;
          await new Promise<void>((resolve) => host.timers.after(retryMs, resolve, { awaited: true }));
        }
      }
    });
  },
};

function jsonOf({ value, ...facts }: ElectionEvent): string {
  return JSON.stringify(value === undefined ? facts : { ...facts, value: valueText(value) });
}
