import { expect, test } from "vitest";
import { host } from "#host";
import type { LockCommand } from "../../../src/protocol/lock.ts";
import { scopeOpId } from "../../../src/protocol/shard-api.ts";
import { uuidv7 } from "../../../src/runtime/ids.ts";
import type { Ledger } from "../../../src/shard/ledger.ts";
import { LockInstance } from "../../../src/shard/lock/lock-instance.ts";
import { Residence } from "../../../src/shard/residence.ts";
import { fenceOf, wordOf } from "../../support/lock-shard.ts";
import { seeded } from "../../support/seeded.ts";

test("LK2 LK9 what a transaction did with locks before something in it was tried and undone stays, and is told", () =>
  host.withSql(async (sql) => {
    const clock = { now: () => 1_790_000_000_000 };
    const random = seeded(1);
    const lockInstance = new LockInstance(clock, clock);
    const residence = new Residence({
      sql,
      clock,
      random,
      lockInstance,
      wipe: async () => {},
      alarm: { set: () => {} },
      maxValueBytes: 1_000,
      logMaxEntries: 1_000,
      logMaxAgeMs: 86_400_000,
      statics: [],
    });
    residence.transaction(() =>
      residence.found({ name: "test", id: "id", shards: 1, strict: false, createdAtMs: 0 }),
    );
    const open = (): Ledger => {
      const ledger = residence.open();
      if (ledger === undefined) throw new Error("no ledger");
      return ledger;
    };
    const opId = () => scopeOpId("test", uuidv7(clock, random));
    const run = (command: Partial<LockCommand> & { kind: LockCommand["kind"] }) =>
      open().locks.run({ opId: opId(), name: "jobs", owner: "a", ...command } as LockCommand, clock.now());
    const terms = { kind: "acquire", as: "mutex", ttlMs: 10_000 } as const;
    const held = residence.transaction(() => run(terms));
    const queued = residence.transaction(() => run({ ...terms, owner: "b", waitMs: 10_000 }));
    if (queued.outcome !== "ok" || queued.state !== "waiting") throw new Error("not waiting");
    const { ticket } = queued;
    const poll = lockInstance.polls.open(ticket, { name: "jobs", owner: "b", ticket });
    const fences = residence.transaction(() => {
      run({ kind: "release", fence: fenceOf(held) } as LockCommand);
      const tried = residence.trial(() => run({ ...terms, name: "tried" }));
      expect(wordOf(tried)).toBe("held");
      return [fenceOf(tried), fenceOf(run({ ...terms, name: "kept" }))];
    });
    await lockInstance.saying(async () => {});
    expect(await poll.ended).toMatchObject({ verdict: { state: "offered" } });
    const rows = sql.all<{ fence: number }>("SELECT fence FROM locks ORDER BY fence");
    // The tried one's fence was given back, and given again; the one that was offered before it was not.
    expect(fences[0]).toBe(fences[1]);
    expect(rows.map(({ fence }) => fence)).toEqual([1, 3, 4]);
    residence.forget();
    expect(open().log.head).toBe(4);
  }));
