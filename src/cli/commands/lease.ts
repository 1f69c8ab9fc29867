import { HttpLeases } from "../../client/leases.ts";
import { usageError } from "../arguments.ts";
import type { Command, Context } from "../command.ts";
import { shownDuration } from "../duration.ts";
import { opIdFlag, opIdOf } from "../flags.ts";
import { shownTime, table } from "../text.ts";

export const id = { name: "ID", help: "the lease, as warp lease grant printed it" } as const;

export function leasesOf({ client, space }: Context): HttpLeases {
  return new HttpLeases(client, space);
}

const onEnds = ["invalidate", "delete"] as const;

export const leaseGrant: Command = {
  name: "lease grant",
  summary: "grant a lease, a group of keys that ends at once, and print its id",
  arguments: [],
  flags: [
    {
      name: "ttl",
      value: "TIME",
      help: "it ends after this time unless it is kept alive, 100ms to 24h; default 1m",
    },
    {
      name: "on-end",
      value: "ACTION",
      choices: onEnds,
      help: "what its end does to its keys: invalidate (drop every copy) or delete them; default invalidate",
    },
    { name: "max-life", value: "TIME", help: "it ends then at the latest, up to 30d; default no such end" },
    opIdFlag,
  ],
  examples: [
    { line: "LEASE=$(warp lease grant --ttl 10m) && warp set user:3 Edsger --lease $LEASE" },
    { line: "warp lease grant --ttl 1ms", exit: 2 },
  ],
  async run(context, args) {
    const ttlMs = args.durationMs("ttl") ?? 60_000;
    const onEnd = onEnds.find((one) => one === args.text("on-end"));
    const maxLifeMs = args.durationMs("max-life");
    const options = {
      ttlMs,
      ...(onEnd === undefined ? {} : { onEnd }),
      ...(maxLifeMs === undefined ? {} : { maxLifeMs }),
    };
    const granted = await leasesOf(context).grant(options, opIdOf(args));
    await context.host.stdout.write(context.json ? `${JSON.stringify(granted)}\n` : `${granted.id}\n`);
    return undefined;
  },
};

export const leaseKeepalive: Command = {
  name: "lease keepalive",
  summary: "keep leases alive: their time begins anew",
  arguments: [{ name: "ID", rest: true, help: "leases, up to 128" }],
  flags: [],
  notes: ["Where one of them has ended the others are kept alive all the same; the exit code is then 3."],
  examples: [
    { line: 'warp lease keepalive "$(warp lease grant)"' },
    { line: "warp lease keepalive 00000000000000000000000000000000", exit: 3 },
  ],
  async run(context, args) {
    const { host, json } = context;
    if (args.positionals.length > 128) throw usageError("up to 128 leases at a time");
    const results = await leasesOf(context).keepManyAlive(args.positionals);
    const lines = results.map((result) => {
      if (json) return JSON.stringify(result);
      return `${result.id}  ${result.ok ? `${shownDuration(result.remainingMs)} left` : result.error.code}`;
    });
    await host.stdout.write(`${lines.join("\n")}\n`);
    return results.every(({ ok }) => ok) ? undefined : 3;
  },
};

export const leaseRevoke: Command = {
  name: "lease revoke",
  summary: "end a lease now, with all of its keys",
  arguments: [id],
  flags: [opIdFlag],
  notes: [
    "Ends when every key is dealt with on every shard. After an unknown outcome repeat it with --op-id.",
  ],
  examples: [
    {
      line: "LEASE=$(warp lease grant --on-end delete); warp lease attach $LEASE user:1 && warp lease revoke $LEASE && warp get user:1",
      exit: 3,
    },
  ],
  async run(context, args) {
    const lease = args.at(0);
    await leasesOf(context).revoke(lease, opIdOf(args));
    await context.host.stdout.write(
      context.json ? `${JSON.stringify({ id: lease, revoked: true })}\n` : "revoked\n",
    );
    return undefined;
  },
};

export const leaseShow: Command = {
  name: "lease show",
  summary: "print a lease",
  arguments: [id],
  flags: [],
  examples: [
    { line: 'warp lease show "$(warp lease grant)"' },
    { line: "warp lease show 00000000000000000000000000000000", exit: 3 },
  ],
  async run(context, args) {
    const lease = await leasesOf(context).info(args.at(0));
    const rows = [
      ["id", lease.id],
      ["left", shownDuration(lease.remainingMs)],
      ["time to live", shownDuration(lease.ttlMs)],
      ["on end", lease.onEnd],
      ["granted", shownTime(lease.grantedAtMs)],
      ...(lease.lifeRemainingMs === undefined ? [] : [["life left", shownDuration(lease.lifeRemainingMs)]]),
    ];
    await context.host.stdout.write(context.json ? `${JSON.stringify(lease)}\n` : table(rows));
    return undefined;
  },
};

export const leaseList: Command = {
  name: "lease list",
  summary: "print live leases",
  arguments: [],
  flags: [],
  examples: [{ line: "warp lease list" }],
  async run(context) {
    const { host, json } = context;
    const leases = leasesOf(context);
    for (let cursor: string | undefined; ; ) {
      const page = await leases.list({ limit: 1_000, ...(cursor === undefined ? {} : { cursor }) });
      const lines = json
        ? page.items.map((lease) => `${JSON.stringify(lease)}\n`).join("")
        : table(
            page.items.map(({ id, remainingMs, onEnd }) => [id, `${shownDuration(remainingMs)} left`, onEnd]),
          );
      if (lines !== "") await host.stdout.write(lines);
      cursor = page.cursor;
      if (cursor === undefined) return undefined;
    }
  },
};
