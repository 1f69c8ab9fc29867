import { describe, expect, it } from "vitest";
import { Backoff } from "../../src/connection/socket/backoff.ts";
import { closeCodes } from "../../src/protocol/wire/frames.ts";
import { failure } from "../contract/adapter-bed.ts";
import { seeded } from "../support/seeded.ts";
import { epoch } from "./fake-hub.ts";
import { Heard, socketBed } from "./socket-bed.ts";

/** A bed whose first session is open, and what its listener hears. */
async function opened(options: Parameters<typeof socketBed>[0] = {}, seed = 1) {
  const bed = socketBed(options, seed);
  const heard = new Heard();
  bed.connection.pushes?.listen(heard);
  const first = bed.ask();
  await bed.clock.advance(20);
  await first;
  return { ...bed, heard };
}

describe("socket connection: resuming", () => {
  it("SB-07 a node whose connection was closed connects again by itself, resumes and gets each change once", async () => {
    const { clock, hub, wire, heard } = await opened();
    hub.last.ev(0, [1, "set", "a"]);
    await clock.advance(5);
    wire.cut();
    hub.revision = 3;
    await clock.advance(150);
    expect(hub.last.hello.cursor).toEqual({ epoch, revision: 1 });
    hub.last.ev(1, [2, "delete", "a"], [3, "set", "b"]);
    await clock.advance(5);
    expect(heard.all).toEqual(["changes 0-1 1:set:a", "lost 0", "changes 1-3 2:delete:a 3:set:b"]);
  });

  it("SB-07 cut again and again, it comes back each time and misses nothing", async () => {
    const { clock, hub, wire, heard } = await opened();
    for (let revision = 1; revision <= 30; revision++) {
      if (revision % 3 === 0) {
        wire.cut();
        await clock.advance(3_000);
      }
      hub.last.ev(revision - 1, [revision, "set", `k${revision}`]);
      await clock.advance(5);
    }
    const told = heard.pushed.flatMap(({ changes }) => changes.map(({ revision }) => revision));
    expect(told).toEqual(Array.from({ length: 30 }, (_, i) => i + 1));
    expect(heard.all.filter((line) => line === "lost 0")).toHaveLength(10);
  });

  it("SB-08 what comes again after a reconnect is not delivered twice", async () => {
    const { clock, hub, wire, heard } = await opened();
    hub.last.ev(0, [1, "set", "a"], [2, "set", "b"]);
    await clock.advance(5);
    wire.cut();
    await clock.advance(150);
    hub.last.ev(0, [1, "set", "a"], [2, "set", "b"]);
    hub.last.ev(1, [2, "set", "b"], [3, "set", "c"]);
    hub.last.ev(1, [2, "set", "b"], [3, "set", "c"]);
    await clock.advance(5);
    expect(heard.all).toEqual(["changes 0-2 1:set:a 2:set:b", "lost 0", "changes 2-3 3:set:c"]);
  });

  it("X-19 back after a time in which the log was trimmed or replaced, it says that what is held must go", async () => {
    const { clock, hub, wire, heard } = await opened();
    hub.last.ev(0, [1, "set", "a"]);
    await clock.advance(5);
    wire.cut();
    hub.resumed = "gap";
    hub.revision = 900;
    await clock.advance(150);
    expect(heard.all).toEqual(["changes 0-1 1:set:a", "lost 0", "gap 900"]);
    hub.last.ev(900, [901, "set", "b"]);
    hub.last.send({ t: "gap", epoch: "00000000000000bb", to: 5, why: "epoch" });
    hub.last.send({
      t: "ev",
      epoch: "00000000000000bb",
      after: 5,
      to: 6,
      es: [[6, "set", "c"]],
    });
    await clock.advance(5);
    expect(heard.all.slice(3)).toEqual(["changes 900-901 901:set:b", "gap 5", "changes 5-6 6:set:c"]);
  });

  it("X-19 what a slow session missed shows as a hole, not as an end of everything", async () => {
    const { clock, hub, heard } = await opened();
    hub.last.ev(0, [1, "set", "a"]);
    hub.last.send({ t: "gap", epoch, to: 50, why: "slow" });
    hub.last.ev(50, [51, "set", "b"]);
    hub.last.send({ t: "prog", epoch, to: 60 });
    hub.last.send({ t: "prog", epoch, to: 60 });
    await clock.advance(5);
    expect(heard.all).toEqual([
      "changes 0-1 1:set:a",
      "changes 50-50",
      "changes 50-51 51:set:b",
      "changes 51-60",
    ]);
  });

  it("the listener learns of the end before any caller does", async () => {
    const { clock, hub, wire, heard, ask } = await opened();
    hub.answer = () => undefined;
    const call = ask().catch(() => heard.all.push("call failed"));
    await clock.advance(5);
    wire.cut();
    await call;
    expect(heard.all).toEqual(["lost 0", "call failed"]);
  });

  it("a listener that has gone hears nothing", async () => {
    const bed = socketBed();
    const heard = new Heard();
    const stop = bed.connection.pushes?.listen(heard);
    const first = bed.ask();
    await bed.clock.advance(20);
    await first;
    stop?.();
    bed.hub.last.ev(0, [1, "set", "a"]);
    await bed.clock.advance(5);
    bed.wire.cut();
    await bed.clock.advance(500);
    expect(heard.all).toEqual([]);
    expect(bed.hub.last.hello.cursor).toEqual({ epoch, revision: 1 });
  });

  it("without `follow` nothing is pushed and nothing resumed", async () => {
    const { clock, hub, wire } = await opened({ follow: false });
    expect(hub.last.hello).toMatchObject({ follow: false });
    wire.cut();
    await clock.advance(150);
    expect(hub.last.hello).not.toHaveProperty("cursor");
  });
});

describe("socket connection: back-off", () => {
  it("WA12 waits have full jitter: anywhere from 0 to a bound that doubles up to the cap", () => {
    const seed = 20_261_123;
    const rounds = Array.from({ length: 400 }, (_, i) => {
      const backoff = new Backoff(seeded(seed + i), { baseMs: 100, capMs: 30_000 });
      return Array.from({ length: 14 }, () => backoff.next());
    });
    for (let attempt = 0; attempt < 14; attempt++) {
      const boundMs = Math.min(30_000, 100 * 2 ** attempt);
      const waits = rounds.map((round) => round[attempt] ?? Number.NaN);
      const note = `seed ${seed}, attempt ${attempt}`;
      expect(Math.max(...waits), note).toBeLessThanOrEqual(boundMs);
      expect(Math.max(...waits), note).toBeGreaterThan(boundMs * 0.97);
      expect(Math.min(...waits), note).toBeLessThan(boundMs * 0.03);
      const mean = waits.reduce((sum, wait) => sum + wait, 0) / waits.length;
      expect(Math.abs(mean / boundMs - 0.5), note).toBeLessThan(0.06);
    }
  });

  it("WA12 while the shard is away it tries ever less often, and a proven session begins anew", async () => {
    const { clock, hub, wire, ask } = await opened();
    wire.refusesWith = { code: 1006, reason: "" };
    wire.cut();
    const attempts = [];
    for (let minute = 0; minute < 10; minute++) {
      const before = wire.attempts;
      for (let second = 0; second < 60; second++) {
        // Somebody asks all the time: attempts are not made for each of them.
        void failure(ask());
        await clock.advance(1_000);
      }
      attempts.push(wire.attempts - before);
    }
    expect(attempts[0]).toBeGreaterThanOrEqual(6);
    for (const each of attempts.slice(2)) expect(each, attempts.join()).toBeLessThanOrEqual(8);
    wire.refusesWith = undefined;
    for (let i = 0; i < 31; i++) {
      void ask().catch(() => undefined);
      await clock.advance(1_000);
    }
    const { length } = hub.sessions;
    expect(length).toBe(2);
    wire.cut();
    await clock.advance(110);
    expect(hub.sessions).toHaveLength(3);
  });

  it("a caller who would have to wait long is told at once when to come back", async () => {
    const { clock, wire, ask } = await opened();
    wire.refusesWith = { code: 1006, reason: "" };
    wire.cut();
    await clock.advance(20_000);
    const error = await failure(ask());
    expect(error).toMatchObject({ code: "unavailable", outcome: "fail", retryable: true });
    expect((error as { retryAfterMs?: number }).retryAfterMs).toBeGreaterThan(1_000);
  });

  it("a node that nobody uses stops trying", async () => {
    const { clock, wire } = await opened({ unusedMs: 10_000 });
    wire.refusesWith = { code: 1006, reason: "" };
    wire.cut();
    await clock.advance(120_000);
    const { attempts } = wire;
    await clock.advance(600_000);
    expect(wire.attempts).toBe(attempts);
    expect(clock.timers).toBe(0);
  });
});

describe("socket connection: close codes", () => {
  it.each([
    [closeCodes.invalidFrame, "", "invalid_frame"],
    [closeCodes.protocolMismatch, "", "protocol_mismatch"],
    [closeCodes.unauthorized, "", "token_invalid"],
    [closeCodes.unauthorized, "token_expired: it has ended", "token_expired"],
    [closeCodes.unauthorized, "forbidden", "forbidden"],
    [closeCodes.helloLate, "", "deadline_exceeded"],
    [closeCodes.ackInvalid, "", "invalid_frame"],
    [closeCodes.frameTooLarge, "", "frame_too_large"],
    [4099, "nonsense: of a later version", "internal"],
  ])("%i (%s) is %s to all callers, and is not repeated for a while", async (code, reason, error) => {
    const { clock, hub, wire, ask } = socketBed();
    hub.closesWith = { code, reason };
    const calls = [failure(ask()), failure(ask())];
    await clock.advance(20);
    for (const call of calls) expect(await call).toMatchObject({ code: error, outcome: "fail" });
    await clock.advance(29_000);
    expect(await failure(ask())).toMatchObject({ code: error, outcome: "fail", retryAfterMs: 984 });
    expect(wire.attempts).toBe(1);
    hub.closesWith = undefined;
    await clock.advance(1_000);
    expect(wire.attempts).toBe(1);
    const again = ask();
    await clock.advance(20);
    expect(await again).toEqual({ method: "getSpace" });
  });

  it.each([
    [closeCodes.overloaded, "overloaded"],
    [closeCodes.slow, "unavailable"],
    [1006, "unavailable"],
    [1011, "unavailable"],
    [4999, "unavailable"],
  ])("%i is %s, and tried again with back-off", async (code, error) => {
    const { clock, hub, ask } = await opened();
    hub.answer = () => undefined;
    const call = failure(ask());
    await clock.advance(5);
    hub.last.end.close(code, "");
    await clock.advance(2);
    expect(await call).toMatchObject({ code: error, outcome: "unknown", retryable: true });
    await clock.advance(110);
    expect(hub.sessions).toHaveLength(2);
  });

  it("4200 is tried again at once, but not over and over", async () => {
    const { clock, hub, wire } = await opened();
    await clock.advance(2_000);
    hub.last.end.close(closeCodes.restarting, "");
    await clock.advance(4);
    expect(hub.sessions).toHaveLength(2);
    hub.closesWith = { code: closeCodes.restarting, reason: "" };
    hub.last.end.close(closeCodes.restarting, "");
    await clock.advance(20_000);
    expect(wire.attempts).toBeLessThan(25);
  });

  it.each([[closeCodes.spaceGone], [closeCodes.idle]])(
    "%i is tried again when somebody asks",
    async (code) => {
      const { clock, hub, heard, ask } = await opened();
      hub.last.end.close(code, "");
      await clock.advance(60_000);
      expect(hub.sessions).toHaveLength(1);
      expect(heard.all).toEqual(["lost 0"]);
      const again = ask();
      await clock.advance(20);
      expect(await again).toEqual({ method: "getSpace" });
    },
  );
});
