import { spacePath } from "../../client/path.ts";
import type { OutboxUsage } from "../../protocol/shard-api.ts";
import type { StorageSettings } from "../../protocol/space.ts";
import { type Arguments, usageError } from "../arguments.ts";
import type { Command } from "../command.ts";
import { shownTime, table } from "../text.ts";

const writes = ["behind", "through"];

const name = { name: "NAME", optional: true, help: "the space; default --space" } as const;

export const spaceCreate: Command = {
  name: "space create",
  summary: "create a space",
  arguments: [name],
  flags: [
    { name: "shards", value: "N", help: "1 to 256, for ever; default 1" },
    { name: "strict", help: "refuse keys without a registration" },
    {
      name: "storage",
      value: "NAME",
      help: "external storage behind the shards, by the deployment's name for it",
    },
    {
      name: "write",
      value: "HOW",
      choices: writes,
      help: "behind answers after the shard's commit, through waits for the storage, too; default behind",
    },
    {
      name: "through-timeout",
      value: "TIME",
      help: "how long through waits before it says that the storage is pending: 10ms to 30s; default 2s",
    },
    {
      name: "keep-bytes",
      value: "N",
      help: "bytes of values that a shard keeps beside the storage; default: all are kept",
    },
    { name: "fallback", value: "NAME", help: "carries eventual writes while a shard can't be reached" },
  ],
  notes: [
    "Spaces are also made by their first write. The same settings again are no error, others a conflict.",
    "With an Upstash database in the deployment's variables its storage and its fallback are called upstash.",
  ],
  examples: [
    { line: "warp space create orders --shards 4", prints: ["orders is created with 4 shards"] },
    { line: "warp space create orders --shards 8", exit: 4 },
  ],
  async run({ client, space, host, json }, args) {
    const shards = args.wholeNumber("shards", 1);
    const storage = storageIn(args);
    const fallback = args.text("fallback");
    const answer = await client.json<{ name: string; shards: number; created: boolean }>({
      method: "PUT",
      path: spacePath(args.positionals[0] ?? space),
      json: {
        ...(shards === undefined ? {} : { shards }),
        ...(args.has("strict") ? { strict: true } : {}),
        ...(storage === undefined ? {} : { storage }),
        ...(fallback === undefined ? {} : { fallback }),
      },
      mutation: true,
    });
    const said = `${answer.name} ${answer.created ? "is created" : "is there already,"} with ${answer.shards} shards`;
    await host.stdout.write(json ? `${JSON.stringify(answer)}\n` : `${said}\n`);
    return undefined;
  },
};

/** What the flags say of the storage. Throws a usage error where they say how, and not which. */
function storageIn(args: Arguments): object | undefined {
  const name = args.text("storage");
  const write = args.text("write");
  const throughTimeoutMs = args.durationMs("through-timeout");
  const keepBytes = args.wholeNumber("keep-bytes", 0);
  if (name !== undefined) {
    return {
      name,
      ...(write === undefined ? {} : { write }),
      ...(throughTimeoutMs === undefined ? {} : { throughTimeoutMs }),
      ...(keepBytes === undefined ? {} : { keepBytes }),
    };
  }
  if (write === undefined && throughTimeoutMs === undefined && keepBytes === undefined) return undefined;
  throw usageError("--write, --through-timeout and --keep-bytes go with --storage");
}

interface ShownSpace {
  readonly name: string;
  readonly shards: number;
  readonly strict: boolean;
  readonly createdAtMs: number;
  readonly storage?: StorageSettings;
  readonly fallback?: string;
  readonly usage: {
    readonly keys: number;
    readonly valueBytes: number;
    readonly databaseBytes: number;
    readonly outbox?: OutboxUsage;
  };
}

export const spaceShow: Command = {
  name: "space show",
  summary: "print a space's settings and what it holds",
  arguments: [name],
  flags: [],
  examples: [{ line: "warp space show" }, { line: "warp space show nowhere", exit: 3 }],
  async run({ client, space, host, json }, args) {
    const path = spacePath(args.positionals[0] ?? space);
    const answer = await client.json<ShownSpace>({ method: "GET", path });
    const { usage } = answer;
    const rows = [
      ["name", answer.name],
      ["shards", String(answer.shards)],
      ["strict", answer.strict ? "yes" : "no"],
      ["created", shownTime(answer.createdAtMs)],
      ...(answer.storage === undefined ? [] : [["storage", shownStorage(answer.storage)]]),
      ...(answer.fallback === undefined ? [] : [["fallback", answer.fallback]]),
      ["keys", String(usage.keys)],
      ["value bytes", String(usage.valueBytes)],
      ["database bytes", String(usage.databaseBytes)],
      ...(usage.outbox === undefined ? [] : [["waits for it", shownOutbox(usage.outbox)]]),
    ];
    await host.stdout.write(json ? `${JSON.stringify(answer)}\n` : table(rows));
    return undefined;
  },
};

function shownStorage({ name, write, keepBytes }: StorageSettings): string {
  return `${name}, write ${write}${keepBytes === undefined ? "" : `, ${keepBytes} bytes of values kept`}`;
}

function shownOutbox({ entries, bytes, lagMs, error }: OutboxUsage): string {
  const waits = entries === 0 ? "nothing" : `${entries} changes, ${bytes} bytes, for ${Math.round(lagMs)} ms`;
  return error === undefined ? waits : `${waits}; ${error.code}: ${error.message}`;
}

export const spaceDelete: Command = {
  name: "space delete",
  summary: "delete a space and all its data",
  arguments: [{ name: "NAME", help: "the space; it has to be named here" }],
  flags: [],
  notes: ["After a failure in the middle the same command goes on."],
  examples: [{ line: "warp space delete old", prints: ["old is deleted"] }],
  async run({ client, host, json }, args) {
    const path = spacePath(args.at(0));
    const answer = await client.json<{ name: string }>({ method: "DELETE", path, mutation: true });
    await host.stdout.write(json ? `${JSON.stringify(answer)}\n` : `${answer.name} is deleted\n`);
    return undefined;
  },
};
