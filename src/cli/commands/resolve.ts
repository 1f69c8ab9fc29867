import { type OperationState, resolveOperation } from "../../client/transactions.ts";
import { uuidv7Time } from "../../runtime/ids.ts";
import { usageError } from "../arguments.ts";
import type { Command } from "../command.ts";
import { oneLine } from "../text.ts";

function lineOf(state: OperationState): string {
  if (state.state === "ok") return state.version === 0 ? "ok" : `ok, version ${state.version}`;
  return state.state === "fail" ? `fail: ${state.error.code}: ${oneLine(state.error.message)}` : state.state;
}

export const resolve: Command = {
  name: "resolve",
  summary: "tell what became of a change whose answer was lost",
  arguments: [{ name: "OPID", help: "its op id, as the error named it" }],
  flags: [
    { name: "key", value: "KEY", help: "a key of it, so that only its shard is asked; default: every shard" },
    { name: "index", value: "N", help: "its place in a batch that had this one op id, from 0 on" },
    { name: "seal", help: "if it was not seen, refuse it should it come late" },
  ],
  notes: [
    "Prints ok, fail, pending (ask again), unseen (it may still come) or sealed (it will not). An op id is known for 5 minutes.",
    "Only changes made with the same token's subject are found.",
  ],
  examples: [
    {
      line: `OP=$(warp set user:4 Barbara --json | sed 's/.*"opId":"\\([^"]*\\)".*/\\1/'); warp resolve "$OP" --key user:4`,
      prints: ["ok, version <n>"],
    },
    { line: "warp resolve 01930f6e-7a00-7000-8000-000000000000 --seal", exit: 4 },
  ],
  async run({ client, space, host, json }, args) {
    const opId = args.at(0);
    if (uuidv7Time(opId) === undefined)
      throw usageError("OPID is a UUIDv7 in lower case, as an error named it");
    const key = args.text("key");
    const index = args.wholeNumber("index", 0);
    const state = await resolveOperation(client, space, opId, {
      seal: args.has("seal"),
      ...(key === undefined ? {} : { key }),
      ...(index === undefined ? {} : { index }),
    });
    await host.stdout.write(`${json ? JSON.stringify(state) : lineOf(state)}\n`);
    return undefined;
  },
};
