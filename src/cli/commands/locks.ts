import type { LockRecord } from "../../client/locks.ts";
import type { Command } from "../command.ts";
import { withLocks } from "../coordination.ts";
import { shownDuration } from "../duration.ts";
import { shownName, shownTime, table } from "../text.ts";

const name = { name: "NAME", help: "the lock or election" } as const;

/** `semaphore 2 of 4`, and who has it. */
function rowOf({ name, holders, omitted = 0, waiters, permits, closedForMs }: LockRecord): string[] {
  const [first] = holders;
  const more = holders.length + omitted - 1;
  const held = first === undefined ? "" : `${shownName(first.owner)}${more > 0 ? ` and ${more} more` : ""}`;
  const what = first === undefined ? (closedForMs === undefined ? "free" : "closed") : first.kind;
  return [
    shownName(name),
    permits === undefined ? what : `${what} of ${permits}`,
    `${waiters} waiting`,
    held,
  ];
}

export const locksList: Command = {
  name: "locks list",
  summary: "print locks and elections that are held or waited for",
  arguments: [{ name: "PREFIX", optional: true, help: "only names that begin with it" }],
  flags: [{ name: "limit", value: "N", help: "names in one page, 1 to 1000; default 100, and all pages" }],
  examples: [
    { line: "warp lock nightly --owner ada -- warp locks list", prints: ["nightly  mutex  0 waiting  ada"] },
    { line: "warp locks list nobody" },
  ],
  async run(context, args) {
    const { host, json } = context;
    const limit = args.wholeNumber("limit", 1);
    const prefix = args.positionals[0];
    return await withLocks(context, async (locks) => {
      for (let cursor: string | undefined; ; ) {
        const page = await locks.list({
          ...(prefix === undefined ? {} : { prefix }),
          ...(limit === undefined ? {} : { limit }),
          ...(cursor === undefined ? {} : { cursor }),
        });
        const lines = json
          ? page.items.map((item) => `${JSON.stringify(item)}\n`).join("")
          : table(page.items.map(rowOf));
        if (lines !== "") await host.stdout.write(lines);
        cursor = page.cursor;
        if (cursor === undefined || limit !== undefined) return undefined;
      }
    });
  },
};

export const locksShow: Command = {
  name: "locks show",
  summary: "print who holds a lock, and how many wait",
  arguments: [name],
  flags: [],
  examples: [
    { line: "warp lock nightly -- warp locks show nightly" },
    { line: "warp locks show nobody", prints: ["waiting  0"] },
  ],
  async run(context, args) {
    const { host, json } = context;
    return await withLocks(context, async (locks) => {
      const info = await locks.info(args.at(0));
      const { holders, omitted, waiters, permits, closedForMs, forced } = info;
      const rows = [
        ...holders.map(({ owner, fence, kind, remainingMs, take, count, offered }) => [
          offered === true ? "offered to" : "held by",
          `${shownName(owner)}, ${kind}${permits === undefined ? "" : ` ${take} of ${permits}`}${count > 1 ? ` (${count} times)` : ""}, fence ${fence}, ${shownDuration(remainingMs)} left`,
        ]),
        ...(omitted === undefined ? [] : [["and", `${omitted} more`]]),
        ["waiting", String(waiters)],
        ...(closedForMs === undefined ? [] : [["closed for", shownDuration(closedForMs)]]),
        ...(forced === undefined
          ? []
          : [
              [
                "forced",
                `${shownTime(forced.atMs)} by ${shownName(forced.by)}, from ${shownName(forced.owner)}`,
              ],
            ]),
      ];
      await host.stdout.write(json ? `${JSON.stringify(info)}\n` : table(rows));
      return undefined;
    });
  },
};

export const locksForce: Command = {
  name: "locks force",
  summary: "end what others hold, as an admin",
  arguments: [name],
  flags: [{ name: "fence", value: "N", help: "only the grant with this fence; default all of the name" }],
  notes: [
    "Who did it is kept and shown by warp locks show. The holder is told, but what it has on its way may still arrive: only its fence stops it.",
  ],
  examples: [
    { line: "warp locks force nightly", prints: ["0 ended"] },
    { line: "warp lock nightly --kill-after 1s -- sh -c 'warp locks force nightly && sleep 60'", exit: 76 },
  ],
  async run(context, args) {
    const { host, json } = context;
    const fence = args.wholeNumber("fence", 1);
    return await withLocks(context, async (locks) => {
      const forced = await locks.force(args.at(0), fence);
      await host.stdout.write(json ? `${JSON.stringify({ forced })}\n` : `${forced} ended\n`);
      return undefined;
    });
  },
};
