import { maxLeaseCallKeys } from "../../runtime/coordination-limits.ts";
import type { Command } from "../command.ts";
import { shownName } from "../text.ts";
import { id, leasesOf } from "./lease.ts";

const keys = { name: "KEY", rest: true, help: "keys; they need not exist" } as const;

/** `keys` in calls that the server takes. */
function* chunks(keys: readonly string[]): Generator<readonly string[]> {
  for (let at = 0; at < keys.length; at += maxLeaseCallKeys) yield keys.slice(at, at + maxLeaseCallKeys);
}

export const leaseAttach: Command = {
  name: "lease attach",
  summary: "attach keys to a lease: they end with it",
  arguments: [id, keys],
  flags: [],
  examples: [
    {
      line: 'LEASE=$(warp lease grant); warp lease attach "$LEASE" user:1 user:2',
      prints: ["2 attached"],
    },
    { line: "warp lease attach 00000000000000000000000000000000 user:1", exit: 3 },
  ],
  async run(context, args) {
    const { host, json } = context;
    const [lease = "", ...named] = args.positionals;
    let changed = 0;
    for (const some of chunks(named)) changed += await leasesOf(context).attach(lease, some);
    await host.stdout.write(json ? `${JSON.stringify({ id: lease, changed })}\n` : `${changed} attached\n`);
    return undefined;
  },
};

export const leaseDetach: Command = {
  name: "lease detach",
  summary: "detach keys from a lease",
  arguments: [id, keys],
  flags: [],
  examples: [
    {
      line: "LEASE=$(warp lease grant); warp lease attach $LEASE user:1 user:2 && warp lease detach $LEASE user:2",
      prints: ["2 attached", "1 detached"],
    },
  ],
  async run(context, args) {
    const { host, json } = context;
    const [lease = "", ...named] = args.positionals;
    let changed = 0;
    for (const some of chunks(named)) changed += await leasesOf(context).detach(lease, some);
    await host.stdout.write(json ? `${JSON.stringify({ id: lease, changed })}\n` : `${changed} detached\n`);
    return undefined;
  },
};

export const leaseKeys: Command = {
  name: "lease keys",
  summary: "print the keys of a lease",
  arguments: [id],
  flags: [],
  examples: [
    {
      line: "LEASE=$(warp lease grant); warp lease attach $LEASE user:1 > attached && warp lease keys $LEASE",
      prints: ["user:1"],
    },
  ],
  async run(context, args) {
    const { host, json } = context;
    for (let cursor: string | undefined; ; ) {
      const from = cursor === undefined ? {} : { cursor };
      const page = await leasesOf(context).keys(args.at(0), { limit: 1_000, ...from });
      const lines = page.items.map((key) => (json ? JSON.stringify({ key }) : shownName(key)));
      if (lines.length > 0) await host.stdout.write(`${lines.join("\n")}\n`);
      cursor = page.cursor;
      if (cursor === undefined) return undefined;
    }
  },
};
