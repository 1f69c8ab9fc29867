import { describe, expect, it } from "vitest";
import { host } from "#host";
import type { LockKind } from "../../../src/protocol/lock.ts";
import { utf8 } from "../../../src/runtime/bytes.ts";
import type { Sql } from "../../../src/runtime/sql.ts";
import { LockWorld, type Wanted } from "../../support/lock-world.ts";
import { seeded } from "../../support/seeded.ts";

const names = ["shared", "permits", "again"] as const;
const permits = 4;
const ttlMs = 3_000;

interface Row {
  readonly fence: number;
  readonly kind: LockKind;
  readonly take: number;
  readonly ticket: string | undefined;
}

interface Place {
  readonly ticket: string;
  readonly arrived: number;
  readonly kind: LockKind;
  readonly take: number;
  readonly liveUntilMs: number;
}

/** Looks at the database after each commit. */
class Judge {
  readonly wrong: string[] = [];
  /** The most live grants that a name had at a time. */
  readonly most = new Map<string, number>();
  #newest = 0;
  #known = new Set<number>();
  #places = new Map<string, Place>();

  look(sql: Sql, nowMs: number): void {
    if (sql.all("SELECT 1 FROM sqlite_master WHERE name = 'locks'").length === 0) return;
    const before = this.#newest;
    const seen = new Map(this.#places);
    this.#places.clear();
    for (const name of names) {
      const rows = grantsOf(sql, name);
      const places = placesOf(sql, name);
      this.most.set(name, Math.max(this.most.get(name) ?? 0, rows.length));
      this.#exclusive(name, rows);
      // Who was silent before this commit may have been passed over in it.
      const waiting = places.filter(
        ({ ticket, liveUntilMs }) =>
          liveUntilMs > nowMs &&
          (seen.get(ticket)?.liveUntilMs ?? 0) > nowMs &&
          !rows.some((row) => row.ticket === ticket),
      );
      for (const row of rows) {
        if (this.#known.has(row.fence)) continue;
        this.#known.add(row.fence);
        if (row.fence <= before) this.wrong.push(`LK2 fence ${row.fence} is not above ${before}`);
        this.#newest = Math.max(this.#newest, row.fence);
        const arrived = row.ticket === undefined ? row.fence : Number.parseInt(row.ticket, 36);
        const passed = waiting.find((place) => place.arrived < arrived);
        if (passed !== undefined) this.wrong.push(`LK8 ${name}: ${passed.ticket} was passed by ${row.fence}`);
      }
      const [next] = waiting;
      if (next !== undefined && fits(rows, next))
        this.wrong.push(`LK9 ${name}: ${next.ticket} was not offered it`);
      // An offer that is not claimed makes its waiter a silent one in the commit that ends it.
      for (const place of places) {
        if (!rows.some((row) => row.ticket === place.ticket)) this.#places.set(place.ticket, place);
      }
    }
  }

  #exclusive(name: string, rows: readonly Row[]): void {
    const taken = rows.reduce((sum, { take }) => sum + take, 0);
    const isShared =
      rows.every(({ kind }) => kind === "read") ||
      (rows.every(({ kind }) => kind === "semaphore") && taken <= permits);
    if (rows.length > 1 && !isShared) this.wrong.push(`LK1 ${name}: ${JSON.stringify(rows)}`);
  }
}

/** Whether a waiter could have the lock beside these; that nobody else could, too, is judged by the same rule. */
function fits(rows: readonly Row[], { kind, take }: Place): boolean {
  if (rows.length === 0) return true;
  if (kind === "read") return rows.every((row) => row.kind === "read");
  return kind === "semaphore" && rows.reduce((sum, row) => sum + row.take, take) <= permits;
}

function grantsOf(sql: Sql, name: string): Row[] {
  return sql
    .all(
      "SELECT fence, kind, take, ticket FROM locks WHERE ended_at IS NULL AND name = ? ORDER BY fence",
      utf8(name),
    )
    .map((row) => ({
      fence: Number(row.fence),
      kind: String(row.kind) as LockKind,
      take: Number(row.take),
      ticket: row.ticket === null ? undefined : String(row.ticket),
    }));
}

function placesOf(sql: Sql, name: string): Place[] {
  return sql.all("SELECT * FROM lock_waiters WHERE name = ? ORDER BY arrived", utf8(name)).map((row) => ({
    ticket: String(row.ticket),
    arrived: Number(row.arrived),
    kind: String(row.kind) as LockKind,
    take: Number(row.take),
    liveUntilMs: Math.min(Number(row.live_until), Number(row.wait_until)),
  }));
}

async function client(world: LockWorld, owner: string): Promise<void> {
  const { random } = world;
  for (let round = 0; round < 5; round++) {
    const shared: readonly Pick<Wanted, "name" | "as" | "permits" | "take">[] = [
      { name: "shared", as: random.below(3) === 0 ? "write" : "read" },
      { name: "permits", as: "semaphore", permits, take: 1 + random.below(permits) },
      { name: "again", as: "reentrant" },
    ];
    const wanted = { ...(shared[random.below(3)] ?? shared[0]), owner, ttlMs } as Wanted;
    const { name } = wanted;
    const { fence } = await world.acquire(wanted);
    const again = wanted.as === "reentrant" && world.chance(0.5);
    if (again) {
      const twice = await world.lock({ ...wanted, kind: "acquire", opId: world.opId() });
      // Unless it has lost it meanwhile; more where it has forgotten to release it before.
      if (twice.outcome === "ok" && twice.state === "held" && twice.fence === fence) {
        expect(twice.count).toBeGreaterThan(1);
      }
    }
    await world.sleep(random.below(world.chance(0.1) ? 2 * ttlMs : 400));
    for (let times = again ? 2 : 1; times > 0; times--) {
      if (world.chance(0.1)) continue;
      await world.lock({ kind: "release", opId: world.opId(), name, owner, fence });
    }
  }
}

describe("locks of all kinds over a storage that fails", () => {
  it("LK1 LK2 LK8 LK9 LK13 in 20 worlds of 8 clients each commit keeps what excludes each other apart, fences growing, and the queue in order and served", {
    timeout: 120_000,
  }, async () => {
    const most = new Map<string, number>();
    for (let seed = 1; seed <= 20; seed++) {
      await host.withSql(async (sql) => {
        const judge = new Judge();
        const world = new LockWorld(sql, seeded(seed), (present, nowMs) => judge.look(present, nowMs));
        await world.live(() => Array.from({ length: 8 }, (_, i) => client(world, `c${i}`)));
        expect(judge.wrong, `seed ${seed}`).toEqual([]);
        for (const name of names) most.set(name, Math.max(most.get(name) ?? 0, judge.most.get(name) ?? 0));
      });
    }
    // There was something to see.
    expect(names.map((name) => (most.get(name) ?? 0) > 1)).toEqual([true, true, false]);
  });
});
