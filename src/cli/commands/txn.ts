import { payloadOf } from "../../client/record.ts";
import { type OperationRecord, transact } from "../../client/transactions.ts";
import type { FenceGuard } from "../../protocol/operation.ts";
import { fromUtf8 } from "../../runtime/bytes.ts";
import { maxBatchBytes } from "../../runtime/limits.ts";
import { usageError } from "../arguments.ts";
import type { Command } from "../command.ts";
import { fenceFlag, guardOf, opIdFlag, opIdOf } from "../flags.ts";
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

/** The transaction with the guard on all that changes a key and has none of its own. What is malformed is left to the server to tell. */
function under(guard: FenceGuard | undefined, body: unknown): unknown {
  if (guard === undefined || !isObject(body)) return body;
  const branches = Object.entries(body).map(([name, part]) => {
    if ((name !== "success" && name !== "failure") || !Array.isArray(part)) return [name, part];
    return [name, part.map((one) => (isObject(one) && one.op !== "get" ? { guard, ...one } : one))];
  });
  return Object.fromEntries(branches);
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
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
  flags: [fenceFlag, opIdFlag],
  notes: [
    'The JSON has lists "compare", "success" and "failure", as in docs/http.md. All keys lie in one shard: those with the same {tag} do.',
    'Comparisons may ask for a lock: {"key":"LOCK","fence":N}. --fence guards every change in it.',
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
    const body = under(guardOf(args).guard, await bodyOf(args.positionals[0] ?? "-", host));
    const answer = await transact(client, space, body, opIdOf(args));
    const head = answer.succeeded ? "succeeded" : "did not succeed";
    const lines = [head, ...answer.results.map(lineOf)].join("\n");
    await host.stdout.write(json ? `${JSON.stringify(answer)}\n` : `${lines}\n`);
    return answer.succeeded ? undefined : 4;
  },
};
