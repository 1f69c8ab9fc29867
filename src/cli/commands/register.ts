import { resourcePath } from "../../client/path.ts";
import { type Arguments, usageError } from "../arguments.ts";
import type { Command } from "../command.ts";
import { parseDuration } from "../duration.ts";
import { shownName } from "../text.ts";

/** The policy that the flags spell out. The server knows its fields and their ranges. */
function settingsOf(args: Arguments): Record<string, unknown> {
  const settings: Record<string, unknown> = {};
  const mode = args.text("mode");
  if (mode !== undefined) settings.mode = mode;
  const merge = args.text("merge");
  if (merge !== undefined) settings.merge = merge;
  const quorum = args.wholeNumber("quorum", 1);
  if (quorum !== undefined) settings.quorum = quorum;
  const minZones = args.wholeNumber("min-zones", 1);
  if (minZones !== undefined) settings.minZones = minZones;
  for (const pair of args.all("set")) {
    const at = pair.indexOf("=");
    if (at < 1) throw usageError(`--set takes NAME=VALUE, not "${pair}"`);
    const name = pair.slice(0, at);
    if (Object.hasOwn(settings, name)) throw usageError(`${name} is set twice`);
    settings[name] = fieldOf(name, pair.slice(at + 1));
  }
  return settings;
}

/** JSON; durations such as 10m where the name ends in Ms; else the text itself. */
function fieldOf(name: string, text: string): unknown {
  const ms = name.endsWith("Ms") ? parseDuration(text) : undefined;
  if (ms !== undefined) return ms;
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}

export const register: Command = {
  name: "register",
  summary: "register the policy of a key, or of the keys that begin with a prefix",
  arguments: [{ name: "PATTERN", help: "a key, or a prefix that ends in *" }],
  flags: [
    {
      name: "mode",
      value: "MODE",
      choices: ["local", "eventual", "strong"],
      help: "how far copies may lag: local, eventual or strong; default eventual",
    },
    {
      name: "merge",
      value: "RULE",
      help: "merge writes into the stored value: last-write-wins, sum, max, min, append, union, deep-merge or a rule of the deployment",
    },
    {
      name: "quorum",
      value: "N",
      help: "with --mode strong: other nodes that must have dropped the key before a write commits",
    },
    { name: "min-zones", value: "N", help: "with --quorum: different zones that those nodes must be in" },
    {
      name: "set",
      value: "NAME=VALUE",
      multiple: true,
      help: "a field of the policy, as JSON, durations also as 10m; several times",
    },
    {
      name: "if-version",
      value: "N",
      help: "change the registration that is at this version; else other settings are a conflict",
    },
  ],
  notes: ["The fields and what they do are in docs/configuration.md."],
  examples: [
    { line: "warp register 'session:*' --mode strong", prints: ["session:* is registered, version <n>"] },
    { line: "warp register 'page:*' --set cacheTtlMs=10m --set graceMs=1h --set jitter=0.1" },
    { line: `warp register 'doc:*' --set 'history={"versions":100}'` },
    { line: "warp register 'visits:*' --merge sum" },
    { line: "warp register 'session:*' --mode local", exit: 4 },
  ],
  async run({ client, space, host, json }, args) {
    const ifVersion = args.wholeNumber("if-version", 1);
    const answer = await client.json<{ pattern: string; version: number }>({
      method: "PUT",
      path: resourcePath(space, "registrations", args.at(0)),
      json: settingsOf(args),
      headers: ifVersion === undefined ? {} : { "If-Match": `"${ifVersion}"` },
      mutation: true,
    });
    const { pattern, version } = answer;
    await host.stdout.write(
      json ? `${JSON.stringify(answer)}\n` : `${shownName(pattern)} is registered, version ${version}\n`,
    );
    return undefined;
  },
};
