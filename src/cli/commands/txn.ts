import { payloadOf } from "../../client/record.ts";
import { type OperationRecord, transact } from "../../client/transactions.ts";
import { fromUtf8 } from "../../runtime/bytes.ts";
import { maxBatchBytes } from "../../runtime/limits.ts";
import { usageError } from "../arguments.ts";
import type { Command } from "../command.ts";
import { opIdFlag, opIdOf } from "../flags.ts";
import type { CliHost } from "../host.ts";
import { openSource, readAll } from "../input.ts";
import { shownName, shownValue } from "../text.ts";

/** The transaction in a file, or on stdin. */
async function bodyOf(path: string, host: CliHost): Promise<unknown> {
  if (path === "-" && host.stdin.isTTY)
    throw usageError("the transaction is missing: give FILE or pipe it in");
  const bytes = await readAll(openSource(path, host), maxBatchBytes, "a transaction");
  try {
    return JSON.parse(fromUtf8(bytes)) as unknown;
  } catch {
    throw usageError("the transaction is not valid JSON");
  }
}

function lineOf(result: OperationRecord): string {
  const key = shownName(result.key);
  if (result.op === "delete") return `${key} ${result.existed ? "is deleted" : "was not there"}`;
  if (result.op !== "get") return `${key} is at version ${result.version}`;
  if (result.omitted === true) return `${key} is left out: read it with warp get`;
  const payload = result.found === true ? payloadOf(result) : undefined;
  return payload === undefined
    ? `${key} is not there`
    : `${key}\t${shownValue(payload.bytes, payload.contentType)}`;
}

export const txn: Command = {
  name: "txn",
  summary: "change several keys together, or none of them",
  arguments: [{ name: "FILE", optional: true, help: "the transaction as JSON; - or nothing for stdin" }],
  flags: [opIdFlag],
  notes: [
    'The JSON has lists "compare", "success" and "failure", as in docs/http.md. All keys lie in one shard: those with the same {tag} do.',
    "If a comparison does not hold the exit code is 4; what stands in failure is done then.",
  ],
  examples: [
    {
      line: `echo '{"compare":[{"key":"user:3","exists":false}],"success":[{"op":"set","key":"user:3","json":{"name":"Edsger"}},{"op":"get","key":"user:1"}]}' | warp txn`,
      prints: ["succeeded", "user:3 is at version <n>", 'user:1\t{"name":"Ada"}'],
    },
    { line: "warp txn swap.json", prints: ["succeeded", "config is at version <n>", "user:2 is deleted"] },
    { line: "warp txn swap.json", prints: ["did not succeed", "config\tred"], exit: 4 },
  ],
  async run({ client, space, host, json }, args) {
    const body = await bodyOf(args.positionals[0] ?? "-", host);
    const answer = await transact(client, space, body, opIdOf(args));
    const head = answer.succeeded ? "succeeded" : "did not succeed";
    const lines = [head, ...answer.results.map(lineOf)].join("\n");
    await host.stdout.write(json ? `${JSON.stringify(answer)}\n` : `${lines}\n`);
    return answer.succeeded ? undefined : 4;
  },
};
