import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Served, startServe, temporaryFolder } from "../support/serve.ts";

const root = resolve(import.meta.dirname, "../..");
let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let served: Served;

beforeAll(async () => {
  folder = await temporaryFolder();
  served = await startServe(join(folder.path, "data"));
});
afterAll(async () => {
  await served?.stop();
  await folder?.[Symbol.asyncDispose]();
});

interface Running {
  readonly child: ChildProcess;
  readonly ended: Promise<{ readonly code: number | null; readonly stderr: string }>;
}

/** A real process that runs `warp` with these words. */
function warp(...words: readonly string[]): Running {
  const child = spawn(process.execPath, [join(root, "src/cli/warp.ts"), ...words], {
    cwd: folder.path,
    env: { ...process.env, WARP_URL: served.url, WARP_SPACE: "shells" },
    stdio: ["ignore", "ignore", "pipe"],
  });
  let stderr = "";
  child.stderr?.on("data", (part) => {
    stderr += String(part);
  });
  const ended = new Promise<{ code: number | null; stderr: string }>((done) => {
    child.once("close", (code) => done({ code, stderr }));
  });
  return { child, ended };
}

const file = (name: string): string => join(folder.path, name);

/** Waits until a process has made the file. */
async function made(name: string): Promise<string> {
  for (let tries = 0; !existsSync(file(name)); tries++) {
    if (tries > 600) throw new Error(`${name} was never made`);
    await new Promise((next) => setTimeout(next, 50));
  }
  return (await readFile(file(name), "utf8")).trim();
}

async function holders(name: string): Promise<{ holders: { fence: number }[]; waiters: number }> {
  return (await (await fetch(`${served.url}/v1/shells/locks/${name}`)).json()) as never;
}

async function untilWaiting(name: string, count: number): Promise<void> {
  for (let tries = 0; (await holders(name)).waiters !== count; tries++) {
    if (tries > 600) throw new Error(`nobody waits for ${name}`);
    await new Promise((next) => setTimeout(next, 50));
  }
}

/** A command that tells its fence in one file, and ends with `code` when another is there. */
const hold = (told: string, until: string, code = 0): readonly string[] => [
  "sh",
  "-c",
  `echo $WARP_FENCE > ${told}.new; mv ${told}.new ${told}; while [ ! -e ${until} ]; do sleep 0.05; done; exit ${code}`,
];

describe("warp lock from two shells", () => {
  test("LK1 LK8 one runs, the other waits and runs after it with a higher fence; exit codes are the commands'", async () => {
    const first = warp("lock", "a", "--ttl", "30s", "--", ...hold("a1", "a1.end", 3));
    const fence = Number(await made("a1"));
    expect((await holders("a")).holders.map((holder) => holder.fence)).toEqual([fence]);
    expect(await warp("lock", "a", "--", "true").ended).toMatchObject({ code: 75 });
    const second = warp("lock", "a", "--ttl", "30s", "--wait", "60s", "--", ...hold("a2", "a2.end", 7));
    await untilWaiting("a", 1);
    expect(existsSync(file("a2"))).toBe(false);
    await writeFile(file("a1.end"), "");
    expect(await first.ended).toEqual({ code: 3, stderr: "" });
    expect(Number(await made("a2"))).toBeGreaterThan(fence);
    await writeFile(file("a2.end"), "");
    expect(await second.ended).toEqual({ code: 7, stderr: "" });
    expect((await holders("a")).holders).toEqual([]);
  });

  test("LK11 X-13 one that is killed with -9 lets the other in when its time to live is over, not before", async () => {
    const ttlMs = 3_000;
    const first = warp("lock", "k", "--ttl", `${ttlMs}ms`, "--", ...hold("k1", "k1.end"));
    await made("k1");
    const second = warp("lock", "k", "--wait", "60s", "--", "sh", "-c", "echo $WARP_FENCE > k2");
    await untilWaiting("k", 1);
    const renewedBy = Date.now();
    const gone = new Promise((done) => first.child.once("exit", done));
    first.child.kill("SIGKILL");
    // Its output stays open: the command that it leaves behind has it, too.
    await gone;
    const killedAt = Date.now();
    await made("k2");
    const tookMs = Date.now() - killedAt;
    console.log(`after kill -9 the other shell had the lock in ${tookMs} ms; time to live ${ttlMs} ms`);
    // The last renewal was at most a third of the time to live before, plus what it took to be killed.
    expect(tookMs).toBeGreaterThan((ttlMs * 2) / 3 - (killedAt - renewedBy) - 500);
    expect(tookMs).toBeLessThan(ttlMs + 5_000);
    expect((await second.ended).code).toBe(0);
    await writeFile(file("k1.end"), "");
  });

  test("LK7 LK12 a command whose lock is lost is ended with all that it has started: exit code 76", async () => {
    const running = warp("lock", "f", "--ttl", "2s", "--kill-after", "2s", "--", ...hold("f1", "f1.never"));
    await made("f1");
    const forced = await fetch(`${served.url}/v1/shells/locks/f?force=true`, { method: "DELETE" });
    expect(await forced.json()).toEqual({ name: "f", forced: 1 });
    const { code, stderr } = await running.ended;
    expect(code).toBe(76);
    expect(stderr).toMatch(/^warp: lock_lost: .*\n$/m);
  });

  test("a command that takes no notice is killed", async () => {
    const stubborn = ["sh", "-c", "trap '' TERM; echo x > s1; while :; do sleep 0.1; done"];
    const running = warp("lock", "s", "--ttl", "2s", "--kill-after", "300ms", "--", ...stubborn);
    await made("s1");
    await fetch(`${served.url}/v1/shells/locks/s?force=true`, { method: "DELETE" });
    expect((await running.ended).code).toBe(76);
  });

  test("LK10 signals: who waits leaves the queue, who runs passes them on and gives the lock back", async () => {
    const first = warp("lock", "g", "--", ...hold("g1", "g1.never"));
    await made("g1");
    const second = warp("lock", "g", "--wait", "60s", "--", "true");
    await untilWaiting("g", 1);
    second.child.kill("SIGTERM");
    expect((await second.ended).code).toBe(143);
    await untilWaiting("g", 0);
    first.child.kill("SIGTERM");
    expect((await first.ended).code).toBe(143);
    expect((await holders("g")).holders).toEqual([]);
  });

  test("LK14 the fence guards writes: a late one is refused", async () => {
    const write = (name: string) =>
      `${process.execPath} ${join(root, "src/cli/warp.ts")} set w ${name} --fence w=$WARP_FENCE`;
    const first = warp("lock", "w", "--", "sh", "-c", `${write("one")} && echo $WARP_FENCE > w1`);
    expect((await first.ended).code).toBe(0);
    const fence = await made("w1");
    expect(await warp("set", "w", "late", "--fence", `w=${fence}`).ended).toMatchObject({ code: 4 });
    expect((await warp("lock", "w", "--", "sh", "-c", write("two")).ended).code).toBe(0);
    expect(await (await fetch(`${served.url}/v1/shells/keys/w`)).text()).toBe("two");
  });

  test("commands that are not there or can't be run end as shells say it", async () => {
    expect(await warp("lock", "n", "--", "no-such-command").ended).toEqual({
      code: 127,
      stderr: "warp: no-such-command: there is no such command\n",
    });
    expect((await warp("lock", "n", "--", folder.path).ended).code).toBe(126);
    expect((await holders("n")).holders).toEqual([]);
  });
});

describe("warp elect and warp leader", () => {
  test("LK15 one leads, the other follows when it resigns, and who follows the election sees both", async () => {
    const first = warp("elect", "e", "one", "--owner", "ada", "--", ...hold("e1", "e1.end"));
    await made("e1");
    const second = warp("elect", "e", "two", "--owner", "grace", "--", ...hold("e2", "e2.end"));
    await untilWaiting("e", 1);
    const follower = spawn(process.execPath, [join(root, "src/cli/warp.ts"), "leader", "e", "--follow"], {
      env: { ...process.env, WARP_URL: served.url, WARP_SPACE: "shells" },
      stdio: ["ignore", "pipe", "ignore"],
    });
    let seen = "";
    follower.stdout.on("data", (part) => {
      seen += String(part);
    });
    const shows = async (text: string): Promise<void> => {
      for (let tries = 0; !seen.includes(text); tries++) {
        if (tries > 600) throw new Error(`never seen: ${text} in ${seen}`);
        await new Promise((next) => setTimeout(next, 50));
      }
    };
    await shows("one");
    await writeFile(file("e1.end"), "");
    expect((await first.ended).code).toBe(0);
    await made("e2");
    await shows("two");
    await writeFile(file("e2.end"), "");
    await second.ended;
    await shows("ended (released)\tgrace");
    follower.kill();
    const lines = seen.trimEnd().split("\n");
    expect(lines.map((line) => line.split("\t").slice(0, 2).join(" "))).toEqual([
      "leads ada",
      "ended (released) ada",
      "elected grace",
      "ended (released) grace",
    ]);
  });
});
