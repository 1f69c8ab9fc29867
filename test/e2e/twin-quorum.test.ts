import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { newOpId } from "../support/http-client.ts";
import { Bed, type RemoteNode } from "../support/twin/bed.ts";
import type { ChangeCall, Failure, TwinNode } from "../support/twin/calls.ts";

let bed: Bed;
let west: RemoteNode;

beforeAll(async () => {
  bed = await Bed.start({
    space: "quorum",
    nodes: { "node-east-1": "east", "node-east-2": "east", "node-west": "west" },
  });
  west = bed.remote("node-west");
  await bed.http().register("q:*", { mode: "strong", quorum: 2, minZones: 2 });
  await bed.http().register("s:*", { mode: "strong" });
  // A node connects with its first call.
  for (const { node } of bed.remotes) await node.call({ do: "get", key: "s:first" });
});

afterAll(() => bed.stop());

/** Writers that have two other nodes in two zones: callers without a session, and the nodes in the east. */
const writers = (): readonly TwinNode[] => bed.nodes.filter(({ name }) => name !== "node-west");

describe("strong writes with a quorum of 2 in 2 zones", () => {
  test("X-17 SB5 1,000 back to back: none fails, and after each nobody reads what was there before", async () => {
    const begunAt = performance.now();
    const key = "q:busy";
    let held = 0;
    for (let value = 1; value <= 1_000; value++) {
      const writer = writers()[value % writers().length] as TwinNode;
      const answer = await writer.call({ do: "set", key, value, opId: newOpId() });
      expect(answer, `write ${value} by ${writer.name}`).toMatchObject({ ok: true });
      const seen = await Promise.all(bed.remotes.map(({ node }) => node.call({ do: "get", key })));
      for (const [at, read] of seen.entries()) {
        expect(read, bed.remotes[at]?.node.name).toMatchObject({ ok: true, seen: { value } });
      }
      // Every other time they hold it, as the next read shows.
      if (value % 50 === 0) {
        const again = await Promise.all(bed.remotes.map(({ node }) => node.call({ do: "get", key })));
        held += again.filter((read) => read.ok && read.seen.cache === "hit").length;
      }
    }
    console.log(
      `quorum: 1,000 strong writes in ${Math.round(performance.now() - begunAt)} ms, ${held} of 60 reads were hits`,
    );
    expect(held, "copies held, without which this shows little").toBeGreaterThan(30);
  });

  test("X-18 a writer that leaves too few zones is refused at once", async () => {
    const begunAt = performance.now();
    const answer = await west.node.call({ do: "set", key: "q:west", value: 1, opId: newOpId() });
    expect(answer).toMatchObject({ ok: false, code: "quorum_failed", outcome: "fail" });
    expect(performance.now() - begunAt).toBeLessThan(2_000);
  });

  test.each(["held back", "cut off"] as const)(
    "ST7 X-17 X-18 with a zone %s every write fails definitely and nothing is changed, of all keys of the operation",
    async (how) => {
      const names = ["q:a", "q:b", "q:c", "q:d", "q:e", "q:f", "q:g", "s:h", "e:i"];
      const keys = names.map((name) => name.replace(":", `:{${how === "cut off" ? "cut" : "held"}}:`));
      const [qa = "", qb = "", qc = "", qd = "", qe = "", qf = "", qg = "", sh = "", ei = ""] = keys;
      for (const [at, key] of keys.entries()) {
        const set = await bed.isolates[0]?.call({ do: "set", key, value: at + 1, opId: newOpId() });
        expect(set).toMatchObject({ ok: true });
      }
      const everyone = bed.nodes.filter((node) => node !== west.node);
      const near = bed.remotes.filter((remote) => remote !== west);
      const values = async () => {
        const reads = await Promise.all(everyone.map((node) => node.call({ do: "getMany", keys })));
        return reads.map((read) =>
          read.ok ? read.seen.map(({ value, version }) => [value, version]) : read,
        );
      };
      const listed = async () => ((await bed.http(1).json("/keys")) as { items: unknown }).items;
      await values();
      await west.node.call({ do: "getMany", keys });
      const before = {
        values: await values(),
        records: await bed.http().lines("/export"),
        list: await listed(),
      };

      if (how === "cut off") west.net.cut({ refusing: true });
      else west.net.hold();
      const opIds = Array.from({ length: 5 }, () => newOpId());
      const [one = "", two = "", three = "", four = "", five = ""] = opIds;
      const calls: readonly ChangeCall[] = [
        { do: "set", key: qa, value: 91, opId: one },
        { do: "delete", key: qb, opId: two },
        // Keys that need no quorum, in one operation with those that do.
        {
          do: "txn",
          compare: [],
          success: [sh, ei, qc].map((key) => ({ op: "set", key, value: 92 }) as const),
          failure: [],
          opId: three,
        },
        { do: "cas", key: qd, expected: 4, value: 93, opId: four },
        { do: "batch", sets: [qe, qf].map((key) => ({ key, value: 94, opId: newOpId() })), opId: five },
      ];
      const begunAt = performance.now();
      const slow = west.node.call({ do: "set", key: qg, value: 95, opId: newOpId(), timeoutMs: 3_000 });
      const ended = await Promise.all(
        calls.map(async (call, at) => {
          const answer = await (everyone[at % everyone.length] as TwinNode).call(call);
          return "ended" in answer ? answer.ended : [answer];
        }),
      );
      const tookMs = performance.now() - begunAt;
      const codes = ended
        .flat()
        .map((answer) => (answer.ok ? "ok" : `${answer.code} ${(answer as Failure).outcome}`));
      expect(codes).toEqual(codes.map(() => "quorum_failed fail"));
      // A repeat is told the same.
      expect(await bed.isolates[1]?.call(calls[0] as ChangeCall)).toMatchObject({ code: "quorum_failed" });
      // L1 of those who are there, without loading: the old value or none.
      for (const { node } of near) {
        const peeked = await node.call({ do: "peek", keys });
        for (const { key, value } of peeked.ok ? peeked.seen : [])
          expect(value, key).toBe(keys.indexOf(key) + 1);
      }
      expect(await values()).toEqual(before.values);
      expect(await bed.http().lines("/export")).toEqual(before.records);
      expect(await listed()).toEqual(before.list);
      console.log(`quorum, a zone ${how}: ${codes.length} definite failures in ${Math.round(tookMs)} ms`);

      west.net.heal();
      await slow;
      // It is connected again by itself; then everything is as before.
      await expect
        .poll(async () => (await west.node.call({ do: "get", key: qa })).ok, { timeout: 20_000 })
        .toBe(true);
      await sleep(100);
      for (const [at, writer] of writers().entries()) {
        const answer = await writer.call({ do: "set", key: qa, value: 100 + at, opId: newOpId() });
        expect(answer, writer.name).toMatchObject({ ok: true });
        for (const node of bed.nodes) {
          expect(await node.call({ do: "get", key: qa }), node.name).toMatchObject({
            seen: { value: 100 + at },
          });
        }
      }
    },
  );
});
