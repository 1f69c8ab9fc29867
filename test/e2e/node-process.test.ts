import { type AddressInfo, createServer } from "node:net";
import { expect, test } from "vitest";
import { startCommand } from "../support/serve.ts";

/** Runs a module of a user's in a Node process of its own; `warp` is a node whose server is at `url`, `waitsMs` the bound of its waits. */
async function run(
  url: string,
  body: string,
  waitsMs = 100,
): Promise<{ exit: number | null; said: string; ms: number }> {
  const program = `
    import { connectWarp, nodeHost } from "./src/node.ts";
    import { standalone } from "./src/index.ts";
    const backoff = { baseMs: ${waitsMs}, capMs: 30_000 };
    const warp = connectWarp(${JSON.stringify(url)}, { onError: () => {}, backoff });
    const told = ({ code, outcome }) => console.log(code, outcome);
    ${body}`;
  const startedMs = performance.now();
  const running = startCommand(process.execPath, ["--input-type=module", "--eval", program]);
  const patience = setTimeout(() => running.child.kill(), 15_000);
  const exit = await running.exit;
  clearTimeout(patience);
  return { exit, said: running.output().trim(), ms: performance.now() - startedMs };
}

/** Takes connections and says nothing. */
async function silentServer(): Promise<{ url: string; [Symbol.asyncDispose](): Promise<void> }> {
  const server = createServer(() => {}).listen(0, "127.0.0.1");
  await new Promise((listening) => server.once("listening", listening));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    [Symbol.asyncDispose]: async () => {
      server.close();
    },
  };
}

// Port 9 is one that the host's own fetch and sockets never reach.
const nowhere = "http://127.0.0.1:9";

test("OU1 a program that only waits for a call is told its outcome, though nothing else keeps its process alive", async () => {
  const calls = [
    "get('a')",
    "set('a', 1)",
    "register('a', {})",
    "merge('a', 1)",
    "txn().set('a', 1).commit()",
  ];
  const { exit, said } = await run(
    nowhere,
    calls.map((call) => `await warp.${call}.catch(told);`).join("\n"),
  );
  expect(said.split("\n")).toEqual(calls.map(() => "unavailable fail"));
  expect(exit).toBe(0);
});

test("OU1 a call to a server that never answers ends at its deadline, not with the process", async () => {
  await using server = await silentServer();
  const { exit, said } = await run(
    server.url,
    "await warp.get('a', { timeoutMs: 300 }).catch(told); process.exit();",
  );
  expect({ exit, said }).toEqual({ exit: 0, said: "deadline_exceeded fail" });
});

test("OU1 a source of the caller's own that never answers ends at the call's deadline", async () => {
  const { exit, said } = await run(
    nowhere,
    `const own = standalone({ host: nodeHost() });
     await own.getOrSet("a", () => new Promise(() => {}), { timeoutMs: 300 }).catch(told);`,
  );
  expect({ exit, said }).toEqual({ exit: 0, said: "deadline_exceeded fail" });
});

test("CO10 what a node does by itself keeps no process alive: it ends while a reconnect is due, without close", async () => {
  const { exit, said, ms } = await run(nowhere, "await warp.get('a').catch(told);", 30_000);
  expect({ exit, said }).toEqual({ exit: 0, said: "unavailable fail" });
  expect(ms).toBeLessThan(8_000);
});
