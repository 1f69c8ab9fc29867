import { describe, expect, it } from "vitest";
import { host } from "#host";
import { utf8 } from "../../../src/runtime/bytes.ts";
import type { Sql } from "../../../src/runtime/sql.ts";
import { BackedShard } from "../../support/backed-shard.ts";

describe("what a storage has lost", () => {
  it("AD4 goes there again, also where the log was trimmed before it was told", () =>
    host.withSql(async (sql) => {
      const space = await new BackedShard(sql, { logMaxEntries: 1, logMaxAgeMs: 1_000 }).create();
      const { bed } = space;
      for (const key of ["a", "b", "c"]) {
        await bed.set(key, "1");
        await space.advance(10);
      }
      expect(space.stored).toEqual({ a: "1@1", b: "1@2", c: "1@3" });
      space.storage.forgetTail(2);
      // It says that it has lost something, and then nothing for a while.
      let applied = 0;
      space.faults = (call) => (call === "apply" && applied++ > 0 ? { lose: "before" } : undefined);
      await bed.set("d", "1");
      await space.advance(400_000);
      await bed.set("e", "1");
      await space.advance(400_000);
      expect(space.stored).toEqual({ a: "1@1" });
      space.fail();
      await space.advance(120_000);
      expect(space.stored).toEqual({ a: "1@1", b: "1@2", c: "1@3", d: "1@4", e: "1@5" });
    }));

  it.each(["emptied", "set back"] as const)(
    "AD4 goes there again when it was %s, also what came from there while something waited",
    (how) =>
      host.withSql(async (sql) => {
        const space = await new BackedShard(sql).create();
        const { bed } = space;
        for (const key of ["a", "b"]) {
          await bed.set(key, "1");
          await space.advance(10);
        }
        space.faults = (call) => (call === "apply" ? { lose: "before" } : undefined);
        await bed.set("c", "1");
        space.storage.putPlain("x", { bytes: utf8("foreign"), contentType: "text/plain" });
        expect(await bed.text("x")).toBe("foreign");
        expect(space.stored).toEqual({ a: "1@1", b: "1@2", x: "foreign@-" });
        if (how === "emptied") expect(space.storage.clear()).toBe(true);
        else {
          space.storage.forgetTail(1);
          space.storage.remove("x");
        }
        space.fail();
        await space.advance(60_000);
        expect(space.stored).toEqual({ a: "1@1", b: "1@2", c: "1@3", x: "foreign@4" });
      }),
  );

  it("AD4 goes there again without the values of versions that others have followed being read", () =>
    host.withSql(async (sql) => {
      let readBytes = 0;
      const counting: Sql = {
        all: (query, ...bindings) => {
          const rows = sql.all(query, ...bindings);
          for (const { value } of rows) if (value instanceof Uint8Array) readBytes += value.length;
          return rows as never;
        },
        run: (query, ...bindings) => sql.run(query, ...bindings),
        transaction: (work) => sql.transaction(work),
      };
      const space = await new BackedShard(counting).create();
      const { bed } = space;
      await bed.set("first", "1");
      await space.advance(10);
      const text = "x".repeat(10_000);
      for (let n = 0; n < 100; n++) {
        await bed.set("hot", text);
        if (n % 50 === 0) await space.advance(10);
      }
      await space.advance(10);
      expect(space.storage.forgetTail(2)).toBe(2);
      readBytes = 0;
      await bed.set("last", "1");
      await space.advance(1_000);
      expect(space.stored).toEqual({ first: "1@1", hot: `${text}@101`, last: "1@102" });
      expect(readBytes).toBeLessThan(5 * text.length);
    }));
});
