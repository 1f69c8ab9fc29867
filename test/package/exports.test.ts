import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { beforeAll, describe, expect, test } from "vitest";
import { createTestHarness } from "wrangler";
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
});

/** What the Worker of a configuration answers, as JSON. */
async function answerOf(configPath: string): Promise<unknown> {
  const bed = createTestHarness({ workers: [{ configPath }] });
  try {
    await bed.listen();
    const response = await bed.fetch("/");
    return await response.json();
  } finally {
    await bed.close();
  }
}
