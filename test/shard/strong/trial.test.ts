import { expect, it } from "vitest";
import { host } from "#host";
import type { Sql } from "../../../src/runtime/sql.ts";
import { expectReply } from "../../support/shard-bed.ts";
import { StrongBed, strongKeys } from "../../support/strong-bed.ts";

it("SB3 an answer never claims a position that the log has not reached, at whatever moment of a strong write it is given", () =>
  host.withSql(async (sql) => {
    const bed = await new StrongBed(sql, { statics: [strongKeys("k*")] }).create();
    const keys = Array.from({ length: 20 }, (_, i) => `k${i}`);
    await bed.mutate(keys.map((key) => bed.setting(key, "old"))).promise;
    await bed.holder("a");
    expect(await bed.hold("a", "k1")).toBe(true);
    const { scope, shard } = { scope: bed.bed.scope(), shard: bed.bed.shard };
    const write = bed.mutate(keys.map((key) => bed.setting(key, "new")));
    const claims: { readonly asOf: number; readonly head: number; readonly text: string }[] = [];
    const reads: Promise<void>[] = [];
    const read = async (): Promise<void> => {
      const { asOf, entries } = expectReply(await shard.read({ ...scope, keys: ["k5"] }));
      const text = new TextDecoder().decode(entries[0]?.payload.bytes);
      claims.push({ asOf, head: shard.figures.logHead, text });
    };
    for (let turn = 0; turn < 100; turn++) {
      reads.push(read());
      await Promise.resolve();
    }
    await Promise.all(reads);
    expect(write.value).toBeUndefined();
    expect(claims.every(({ text }) => text === "old")).toBe(true);
    expect(claims.filter(({ asOf, head }) => asOf > head)).toEqual([]);
    bed.members.acknowledge("a");
    await write.promise;
  }));

it("ST3 a strong write does not read all verdicts that the shard keeps", () =>
  host.withSql(async (sql) => {
    const queries: string[] = [];
    const told: Sql = {
      all: (query, ...bindings) => {
        queries.push(query);
        return sql.all(query, ...bindings);
      },
      run: (query, ...bindings) => sql.run(query, ...bindings),
      transaction: (work) => sql.transaction(work),
    };
    const bed = await new StrongBed(told, { statics: [strongKeys("k*")] }).create();
    await bed.set("k1", "old").promise;
    await bed.holder("a");
    expect(await bed.hold("a", "k1")).toBe(true);
    queries.length = 0;
    const write = bed.set("k1", "new");
    await bed.time.settle();
    bed.members.acknowledge("a");
    await write.promise;
    expect(queries.length).toBeGreaterThan(0);
    expect(queries.filter((query) => query.includes("min(at)"))).toEqual([]);
  }));
