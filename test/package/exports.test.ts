import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { beforeAll, describe, expect, test } from "vitest";
import { createTestHarness } from "wrangler";
import { LocalRedis } from "../../scripts/redis-bridge/local-redis.ts";
import { redisOrSkip } from "../support/redis-bridge/needed.ts";
import { eventually } from "../support/serve.ts";
import { read, root } from "./source.ts";

const run = promisify(execFile);
const { exports } = JSON.parse(read("package.json")) as {
  exports: Record<string, { types: string; default: string }>;
};

/** A name that each entry must have. */
const names: Readonly<Record<string, string>> = {
  ".": "standalone",
  "./node": "nodeClock",
  "./testing": "testWarp",
  "./client": "createClient",
  "./store": "createStore",
  "./client/presence": "Presence",
  "./client/tabs": "tabSharing",
  "./upstash": "upstashAdapter",
};
/** The entries that Node can load; the others name `cloudflare:workers`. */
const inNode = [
  ".",
  "./node",
  "./testing",
  "./client",
  "./client/presence",
  "./client/tabs",
  "./store",
  "./upstash",
];

beforeAll(async () => {
  // What `npm run build` does for the library; unchanged sources cost a second.
  const tsc = join(root, "node_modules", "typescript", "bin", "tsc");
  await run(process.execPath, [tsc, "-b", "tsconfig.worker.json", "tsconfig.node.json"], { cwd: root });
});

describe("the built package", () => {
  test.each(Object.entries(exports))("%s has its module and its types", (_, { types, default: module }) => {
    expect(read(module).length).toBeGreaterThan(0);
    expect(read(types)).toMatch(/\bexport\b/);
  });

  test.each(inNode)("%s can be imported in Node by the package's name", async (entry) => {
    const name = join("warp-edge", entry);
    const program = `console.log(Object.keys(await import(${JSON.stringify(name)})).join(" "))`;
    const { stdout } = await run(process.execPath, ["--input-type=module", "-e", program], { cwd: root });
    expect(stdout).toContain(names[entry]);
  });

  test("./worker is the deployment's entry: handlers and classes, nothing else", () => {
    expect(
      read("dist/lib/worker.js")
        .match(/^export .*/gm)
        ?.map((line) => line.slice(0, 19)),
    ).toEqual(["export { WarpMeter ", "export { WarpRelay ", "export class WarpSh", "export default {"]);
  });

  test.each([
    ["./shard", "WarpShard"],
    ["./relay", "WarpRelay"],
  ])("%s has the class that a binding names", (entry, name) => {
    expect(read(exports[entry]?.default ?? "")).toMatch(new RegExp(`^export class ${name} `, "m"));
  });

  test("a Worker of one's own, as the README has it, runs with ./edge and ./shard", async () => {
    const worker = read("examples/own-worker/worker.ts");
    expect(read("README.md")).toContain(`\`\`\`ts\n${worker}\`\`\`\n`);
    expect(await answerOf("examples/own-worker/wrangler.toml")).toEqual({ name: "Grace" });
  });

  test("ME3 a Worker with a merge rule of its own, as docs/merge.md has it, merges by it", async () => {
    const worker = read("examples/own-rules/worker.ts");
    expect(read("docs/merge.md")).toContain(`\`\`\`ts\n${worker}\`\`\`\n`);
    const highest = { by: "Grace", amount: 30 };
    expect(await answerOf("examples/own-rules/wrangler.toml")).toEqual(highest);
  });

  test.skipIf(redisOrSkip())(
    "AD2 a Worker with a Redis behind its shards, as docs/upstash.md has it, has there what it wrote",
    async () => {
      const worker = read("examples/own-storage/worker.ts");
      expect(read("docs/upstash.md")).toContain(`\`\`\`ts\n${worker}\`\`\`\n`);
      const redis = await LocalRedis.start();
      try {
        const stored = async () => {
          const headers = { Authorization: `Bearer ${redis.token}` };
          const body = JSON.stringify(["GET", "warp:{carts}:v:lamp"]);
          return ((await (await fetch(redis.url, { method: "POST", headers, body })).json()) as Stored)
            .result;
        };
        const toml = "examples/own-storage/wrangler.toml";
        const lamp = Buffer.from(JSON.stringify({ pieces: 2 })).toString("base64");
        const isStored = async () => (await stored())?.endsWith(`;${lamp}`) === true;
        expect(await answerOf(toml, redis.variables, () => eventually(isStored, 10_000))).toEqual({
          pieces: 2,
        });
        expect(await isStored()).toBe(true);
      } finally {
        await redis.end();
      }
    },
  );
});

interface Stored {
  readonly result: string | null;
}

/** What the Worker of a configuration answers, as JSON; `then` is waited for before it ends. */
async function answerOf(
  configPath: string,
  secrets: Readonly<Record<string, string>> = {},
  then: () => Promise<unknown> = async () => {},
): Promise<unknown> {
  const bed = createTestHarness({ workers: [{ configPath, secrets }] });
  try {
    await bed.listen();
    const response = await bed.fetch("/");
    const answer = await response.json();
    await then();
    return answer;
  } finally {
    await bed.close();
  }
}
