import { describe, expect, test } from "vitest";
import type { Child, EndSignal } from "../../src/cli/host.ts";
import type { Fetch } from "../../src/runtime/fetch.ts";
import { secret } from "../http/bed.ts";
import { lockBed } from "../http/lock-bed.ts";
import { type CliBedOptions, warp } from "./bed.ts";

/** A command that a test ends, and what it was told. */
interface Started {
  readonly words: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly signals: string[];
  end(code: number): void;
}

function bed() {
  const made = lockBed();
  const { app, clock } = made;
  const started: Started[] = [];
  const listeners = new Set<(signal: EndSignal) => void>();
  const way = { isCut: false, how: "ECONNREFUSED" };
  const fetch: Fetch = async (url, { method, headers, body, signal }) => {
    if (way.isCut) throw new TypeError("fetch failed", { cause: { code: way.how } });
    const given = new Promise<never>((_, reject) => {
      signal.addEventListener("abort", () => reject(new Error("aborted")), { once: true });
    });
    const answer = app.request(url, { method, headers, body: body instanceof Uint8Array ? body : null });
    return await Promise.race([answer, given]);
  };
  const options: CliBedOptions = {
    fetch,
    clock,
    env: { WARP_TOKEN: secret, WARP_SPACE: "s", WARP_URL: "http://localhost" },
    spawn(command, args, env): Child {
      const signals: string[] = [];
      let end: (code: number) => void = () => undefined;
      const ended = new Promise<number>((resolve) => {
        end = resolve;
      });
      started.push({ words: [command, ...args], env, signals, end });
      const kill: Child["kill"] = (signal) => void signals.push(signal);
      return { ended, trouble: () => undefined, kill, leaves: () => false };
    },
    onSignal(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
  return {
    ...made,
    started,
    way,
    run: (...words: readonly string[]) => warp(words, options),
    signal: (signal: EndSignal) => {
      for (const listener of [...listeners]) listener(signal);
    },
    /** The command that runs now. */
    async command(): Promise<Started> {
      await made.turns();
      const last = started.at(-1);
      if (last === undefined) throw new Error("no command was started");
      return last;
    },
  };
}

describe("warp lock", () => {
  test("runs the command under the lock, tells it the fence, renews, gives the lock back, passes the exit code", async () => {
    const { run, command, advance, done } = bed();
    const running = run("lock", "nightly", "--ttl", "3s", "--owner", "ada", "--", "make", "--json", "-x");
    const made = await command();
    expect(made.words).toEqual(["make", "--json", "-x"]);
    const { holders } = await done("GET", "locks/nightly");
    const [{ fence }] = holders as [{ fence: number }];
    expect(made.env).toEqual({ WARP_LOCK: "nightly", WARP_FENCE: String(fence), WARP_OWNER: "ada" });
    for (let part = 0; part < 6; part++) await advance(1_000);
    expect((await done("GET", "locks/nightly")).holders).toMatchObject([{ fence }]);
    made.end(9);
    await advance(10);
    expect(await running).toMatchObject({ code: 9, stdout: "", stderr: "" });
    expect((await done("GET", "locks/nightly")).holders).toEqual([]);
  });

  test("LK7 a lock that is lost ends the command: SIGTERM, then SIGKILL, exit code 76", async () => {
    const { run, command, advance, way } = bed();
    const running = run("lock", "a", "--ttl", "3s", "--kill-after", "2s", "--", "work");
    const made = await command();
    way.isCut = true;
    await advance(2_900);
    expect(made.signals).toEqual([]);
    await advance(100);
    expect(made.signals).toEqual(["SIGTERM"]);
    await advance(2_000);
    expect(made.signals).toEqual(["SIGTERM", "SIGKILL"]);
    made.end(137);
    await advance(10);
    const { code, stderr } = await running;
    expect([code, stderr]).toEqual([76, expect.stringMatching(/lock_lost: .*not renewed in time\n$/)]);
  });

  test("LK12 an admin's end is one, too; a command that ends by itself in time is not killed", async () => {
    const { run, command, advance, done } = bed();
    const running = run("lock", "a", "--ttl", "3s", "--", "work");
    const made = await command();
    await done("DELETE", "locks/a?force=true");
    await advance(1_100);
    expect(made.signals).toEqual(["SIGTERM"]);
    made.end(143);
    await advance(10_000);
    expect(made.signals).toEqual(["SIGTERM"]);
    expect((await running).code).toBe(76);
  });

  test("another has it: 75 at once, or when the wait is over; the command is not run", async () => {
    const { run, done, started, advance } = bed();
    await done("POST", "locks/a", { owner: "x", ttlMs: 600_000 });
    const refused = await run("lock", "a", "--", "work");
    expect(refused).toMatchObject({ code: 75, stdout: "" });
    expect(refused.stderr).toMatch(/^warp: lock_held: /);
    const waiting = run("lock", "a", "--wait", "2s", "--", "work");
    await advance(4_000);
    expect((await waiting).code).toBe(75);
    expect(started).toEqual([]);
  });

  test("with --json before the command, what went wrong is a problem document", async () => {
    const { run, done, command, advance } = bed();
    await done("POST", "locks/a", { owner: "x", ttlMs: 600_000 });
    const refused = await run("--json", "lock", "a", "--", "work", "--json");
    expect(refused.code).toBe(75);
    expect(JSON.parse(refused.stderr)).toMatchObject({ type: "/errors#lock_held", code: "lock_held" });
    const running = run("lock", "b", "--ttl", "3s", "--json", "--", "work");
    const made = await command();
    await done("DELETE", "locks/b?force=true");
    await advance(1_100);
    made.end(143);
    await advance(10);
    const { code, stderr } = await running;
    expect(code).toBe(76);
    expect(JSON.parse(stderr)).toMatchObject({ code: "lock_lost", details: { reason: "forced" } });
  });

  test("LK10 a signal while it waits leaves the queue, one while it runs goes to the command", async () => {
    const { run, done, signal, command, advance, started } = bed();
    const { fence } = await done("POST", "locks/a", { owner: "x", ttlMs: 600_000 });
    const waiting = run("lock", "a", "--wait", "60s", "--", "work");
    await advance(1_000);
    expect(await done("GET", "locks/a")).toMatchObject({ waiters: 1 });
    signal("SIGTERM");
    await advance(3_000);
    expect((await waiting).code).toBe(143);
    expect(await done("GET", "locks/a")).toMatchObject({ waiters: 0 });
    await done("DELETE", `locks/a?owner=x&fence=${fence}`);
    expect(started).toEqual([]);
    const running = run("lock", "a", "--", "work");
    const made = await command();
    // The terminal has sent this one to the command as well.
    signal("SIGINT");
    signal("SIGTERM");
    expect(made.signals).toEqual(["SIGTERM"]);
    made.end(143);
    await advance(10);
    expect((await running).code).toBe(143);
    expect((await done("GET", "locks/a")).holders).toEqual([]);
  });

  test("OU1 a server whose answers are lost is exit code 6, soon, and names no flag that there is not", async () => {
    const { run, advance, way, started } = bed();
    Object.assign(way, { isCut: true, how: "ECONNRESET" });
    const running = run("lock", "a", "--timeout", "1s", "--", "work");
    await advance(5_000);
    const { code, stderr } = await running;
    expect([code, stderr]).toEqual([
      6,
      expect.stringMatching(/^warp: unavailable: .*it may have been done\n$/),
    ]);
    expect(started).toEqual([]);
  });

  test("wrong use is exit code 2, and nothing is run", async () => {
    const { run, started } = bed();
    for (const words of [
      ["lock", "a"],
      ["lock"],
      ["lock", "a", "--ttl", "30", "--", "work"],
      ["lock", "a", "--ttl", "1ms", "--", "work"],
      ["lock", "a", "--wait", "2h", "--", "work"],
      ["lock", "a", "--kind", "reentrant", "--", "work"],
      ["lock", "a", "--kind", "semaphore", "--", "work"],
      ["lock", "a", "--permits", "0", "--", "work"],
      ["elect", "a", "v"],
    ]) {
      expect((await run(...words)).code, words.join(" ")).toBe(2);
    }
    expect(started).toEqual([]);
  });
});

describe("warp elect, leader and locks", () => {
  test("LK15 the leader's value is printed; where nobody leads the exit code is 3", async () => {
    const { run, command, advance } = bed();
    expect(await run("leader", "e")).toMatchObject({ code: 3, stdout: "" });
    const running = run("elect", "e", "http://10.0.0.1", "--owner", "ada", "--", "work");
    const made = await command();
    expect(made.env).toMatchObject({ WARP_LOCK: "e", WARP_OWNER: "ada" });
    expect((await run("leader", "e", "--value")).stdout).toBe("http://10.0.0.1\n");
    expect((await run("leader", "e")).stdout).toMatch(/^leads\tada\t\d+\thttp:\/\/10\.0\.0\.1\n$/);
    expect(JSON.parse((await run("leader", "e", "--json")).stdout)).toMatchObject({ owner: "ada" });
    made.end(0);
    await advance(10);
    expect((await running).code).toBe(0);
  });

  test("locks list, show and force say who holds what; names that could move a cursor are quoted", async () => {
    const { run, done } = bed();
    await done("POST", "locks/a", { owner: "ada\u001b[2J", ttlMs: 60_000 });
    await done("POST", "locks/pool", { owner: "x", kind: "semaphore", permits: 3 });
    await done("POST", "locks/pool", { owner: "y", kind: "semaphore", permits: 3 });
    const { stdout } = await run("locks", "list");
    expect(stdout).toBe(
      'a     mutex           0 waiting  "ada\\u001b[2J"\npool  semaphore of 3  0 waiting  x and 1 more\n',
    );
    expect((await run("locks", "list", "--limit", "1")).stdout).toMatch(/^a /);
    expect((await run("locks", "show", "pool")).stdout).toMatch(
      /^held by {2}x, semaphore 1 of 3, fence \d+, 30s left\nheld by {2}y, .*\nwaiting {2}0\n$/,
    );
    expect((await run("locks", "force", "a")).stdout).toBe("1 ended\n");
    expect((await run("locks", "show", "a")).stdout).toMatch(
      /^waiting {2}0\nforced {3}.* by admin, from "ada/,
    );
  });
});

describe("warp lease", () => {
  test("LE-03 a lease is granted, given keys, kept alive, shown and revoked", async () => {
    const { run } = bed();
    const id = (await run("lease", "grant", "--ttl", "10m", "--on-end", "delete")).stdout.trim();
    expect(id).toMatch(/^[a-z0-9]{32}$/);
    expect((await run("set", "k", "v", "--lease", id)).code).toBe(0);
    expect((await run("lease", "attach", id, "a", "b")).stdout).toBe("2 attached\n");
    expect((await run("lease", "detach", id, "b", "c")).stdout).toBe("1 detached\n");
    expect((await run("lease", "keys", id)).stdout).toBe("a\nk\n");
    expect((await run("lease", "keepalive", id)).stdout).toBe(`${id}  10m left\n`);
    const none = "0".repeat(32);
    expect(await run("lease", "keepalive", id, none)).toMatchObject({ code: 3 });
    expect((await run("lease", "show", id)).stdout).toContain("on end        delete\n");
    expect((await run("lease", "list")).stdout).toBe(`${id}  10m left  delete\n`);
    expect((await run("lease", "revoke", id)).stdout).toBe("revoked\n");
    expect((await run("get", "k")).code).toBe(3);
    expect((await run("lease", "revoke", id)).code).toBe(3);
    expect((await run("lease", "grant", "--ttl", "1ms")).code).toBe(2);
  });
});
