import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { processHost } from "../../src/cli/process-host.ts";
import { runUnder } from "../../src/cli/under-lock.ts";
import type { Lock } from "../../src/client/locks.ts";
import { WarpError } from "../../src/errors.ts";

/** A lock that is lost when a test says so. */
function heldLock() {
  const loss = new AbortController();
  const calls: string[] = [];
  const lock = {
    name: "n",
    owner: "o",
    fence: 7,
    signal: loss.signal,
    release: async () => {
      calls.push("release");
      return true;
    },
    [Symbol.asyncDispose]: async () => {
      calls.push("dispose");
    },
  };
  return {
    lock: lock as unknown as Lock,
    calls,
    lose: () => loss.abort(new WarpError("lock_lost", "lost by a test")),
  };
}

let folder = "";
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "warp-under-lock-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** Whether a process runs: not where only its entry is left, for want of somebody to look at how it ended. */
async function isThere(pid: number): Promise<boolean> {
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  return !/\) [ZX] /.test(await readFile(`/proc/${pid}/stat`, "utf8").catch(() => ""));
}

async function pidIn(file: string): Promise<number> {
  for (let i = 0; i < 200; i++) {
    const text = await readFile(file, "utf8").catch(() => "");
    if (text.endsWith("\n")) return Number(text);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  throw new Error("the command did not start");
}

const host = processHost();

test("what a command has started is ended with the lock, also where that hears no SIGTERM and the command does", async () => {
  const { lock, lose } = heldLock();
  const file = join(folder, "pid");
  const deaf = `trap '' TERM; echo $$ > ${file}; while :; do sleep 0.1; done`;
  const running = runUnder({
    host,
    acquire: async () => lock,
    command: ["sh", "-c", `sh -c "$1" & wait`, "sh", deaf],
    killAfterMs: 300,
  });
  const pid = await pidIn(file);
  lose();
  expect(await running).toBe(76);
  // The kernel takes a moment to end what was killed.
  for (let i = 0; i < 40 && (await isThere(pid)); i++)
    await new Promise((resolve) => setTimeout(resolve, 25));
  const wasThere = await isThere(pid);
  if (wasThere) process.kill(pid, "SIGKILL");
  expect(wasThere).toBe(false);
});

test("a command that can't be started gives its lock back", async () => {
  const { lock, calls } = heldLock();
  const bad = runUnder({ host, acquire: async () => lock, command: ["sh", "a\0b"], killAfterMs: 300 });
  await expect(bad).rejects.toThrow();
  expect(calls).toEqual(["dispose"]);
  const missing = heldLock();
  const work = { host, acquire: async () => missing.lock, killAfterMs: 300 };
  expect(await runUnder({ ...work, command: [join(folder, "none")] })).toBe(127);
  expect(missing.calls).toEqual(["release"]);
});
