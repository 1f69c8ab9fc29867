import { describe, expect, it } from "vitest";
import { host } from "#host";
import { WarpError } from "../../../src/errors.ts";
import type { LeaseEndAction } from "../../../src/protocol/lease.ts";
import { codeOf, LeaseTester } from "../../contract/lease-bed.ts";
import { LeaseSpace } from "../../support/lease-space.ts";

/** What the test knows of a lease. */
interface Known {
  readonly id: string;
  readonly onEnd: LeaseEndAction;
  /** Keys that were sent to be set with it, whatever became of that. */
  readonly keys: string[];
  /** Of those the ones that were acknowledged. */
  readonly done: Set<string>;
  /** A revoke of it was answered. */
  revoked: boolean;
  /** It may have ended: a revoke was sent, or its time was over. */
  mayHaveEnded: boolean;
  readonly dueMs: number;
}

/** Lets shards die at any write, loses calls between them, and in the end asks whether every end was carried out. */
async function story(seed: number): Promise<{ revoked: number; kills: number; expired: number }> {
  const told = { revoked: 0, kills: 0, expired: 0 };
  await LeaseSpace.run({ shards: 4, seed }, async (space) => {
    const { random, time } = space;
    const t = new LeaseTester(space);
    const leases: Known[] = [];
    let isCalm = false;
    space.fate = () => {
      if (isCalm || random.below(100) < 60) return "arrives";
      return random.pick(["lost", "answer lost", "answer late", "answer late", "hangs"] as const);
    };
    const works = new Set<Promise<unknown>>();
    const wrong: unknown[] = [];
    const begin = (work: Promise<unknown>): void => {
      const settled = work
        // Calls fail where shards do; only what this test expects must not.
        .catch((error: unknown) => error instanceof WarpError || wrong.push(error))
        .finally(() => works.delete(settled));
      works.add(settled);
    };
    const set = async (lease: Known): Promise<void> => {
      const key = `k${random.below(1_000_000)}`;
      lease.keys.push(key);
      const isLate = lease.revoked;
      const verdict = await t.set(key, "v", { lease: lease.id });
      if (codeOf(verdict) !== "ok") return;
      expect(isLate, `seed ${seed}: ${key} was attached after the end`).toBe(false);
      lease.done.add(key);
    };
    const revoke = async (lease: Known): Promise<void> => {
      lease.mayHaveEnded = true;
      const command = { kind: "revoke", opId: t.opId(), id: lease.id } as const;
      const before = [...lease.done];
      for (let attempt = 0; attempt < 4; attempt++) {
        const verdict = await t.run(command).catch(() => undefined);
        if (verdict === undefined) continue;
        lease.revoked = true;
        told.revoked++;
        if (lease.onEnd === "invalidate") return;
        for (const key of before) {
          const text = await t.text(key).catch(() => undefined);
          expect(text, `seed ${seed}: ${key} after the revoke was answered`).toBeUndefined();
        }
        return;
      }
    };
    for (let step = 0; step < 120; step++) {
      const dice = random.below(100);
      const lease = leases.length === 0 ? undefined : random.pick(leases);
      if (dice < 15 || lease === undefined) {
        const onEnd = random.pick(["invalidate", "delete"] as const);
        const ttlMs = random.pick([2_000, 60_000]);
        const made = { id: t.id(), onEnd, keys: [], done: new Set<string>(), revoked: false };
        const known: Known = { ...made, mayHaveEnded: false, dueMs: time.now() + ttlMs };
        const command = { kind: "grant", opId: t.opId(), id: known.id, ttlMs, onEnd } as const;
        begin(t.run(command).then((verdict) => codeOf(verdict) === "ok" && leases.push(known)));
      } else if (dice < 65) begin(set(lease));
      else if (dice < 72) begin(revoke(lease));
      else if (dice < 82) {
        // Between any two of its next writes this instance is gone; another takes over a little later.
        const shard = space.at(random.below(4));
        let left = random.below(12);
        const { sql } = shard;
        sql.onWrite = () => {
          if (isCalm || left-- > 0) return;
          sql.isDead = true;
          throw new Error("the instance is gone");
        };
        told.kills++;
        time.after(random.below(1_500), () => {
          if (shard.sql === sql) shard.kill();
        });
      } else await time.advance(random.below(600));
      await time.advance(random.below(5));
    }
    isCalm = true;
    // Those that are dead come back; of the others some go on with what they know.
    for (const shard of space.shards) if (shard.sql.isDead || random.below(2) === 0) shard.kill();
    await time.advance(150_000);
    expect(wrong, `seed ${seed}`).toEqual([]);
    expect(works.size, `seed ${seed}: calls that never ended`).toBe(0);
    for (const { id, onEnd, keys, done, mayHaveEnded } of leases) {
      const lives = await t.lives(id);
      // 60 s are over for all of them.
      expect(lives, `seed ${seed}`).toBe(false);
      if (!mayHaveEnded) told.expired++;
      const invalidated = new Set(await t.told("invalidate", "delete"));
      for (const key of keys) {
        const text = await t.text(key);
        if (onEnd === "delete") expect(text, `seed ${seed}: ${key} of ${id}`).toBeUndefined();
        else if (done.has(key)) expect(text, `seed ${seed}: ${key} of ${id}`).toBe("v");
        if (done.has(key)) expect(invalidated.has(key), `seed ${seed}: ${key} of ${id}`).toBe(true);
      }
    }
    // Nothing is left of them but ids, and those go, too.
    await time.advance(700_000);
    for (const table of ["leases", "lease_members", "lease_keys", "lease_joins", "lease_ends"]) {
      expect(space.rows(table), `seed ${seed}: rows of ${table}`).toBe(0);
    }
  });
  return told;
}

describe.skipIf(host.name !== "node")("ends of leases among shards that fail", () => {
  it("LS3 LS4 every end is carried out, whatever instance dies at whatever write", async () => {
    const sum = { revoked: 0, kills: 0, expired: 0 };
    const first = 1;
    for (let seed = first; seed < first + 40; seed++) {
      const told = await story(seed);
      for (const name of ["revoked", "kills", "expired"] as const) sum[name] += told[name];
    }
    expect(sum.revoked).toBeGreaterThan(40);
    expect(sum.kills).toBeGreaterThan(100);
    expect(sum.expired).toBeGreaterThan(40);
  });
});
