import { describe, expect, it } from "vitest";
import { host } from "#host";
import { type Migration, migrate, migrations, schemaVersion } from "../../src/shard/schema.ts";
import { ShardBed } from "../support/shard-bed.ts";

const addColumn: Migration = (sql) => sql.run("ALTER TABLE keys ADD COLUMN note TEXT");

describe("schema", () => {
  it("is not there before the first write: reads leave an unknown space's database empty", async () => {
    await host.withSql(async (sql) => {
      const bed = new ShardBed(sql);
      await bed.shard.read({ ...bed.scope(), keys: ["a"] });
      await bed.shard.getSpace("test");
      await bed.shard.list({ ...bed.scope(), prefix: "", limit: 10, values: false });
      expect(
        sql.all("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '\\_%' ESCAPE '\\'"),
      ).toEqual([]);
    });
  });

  it("is brought forward by later steps, and the data stays", async () => {
    await host.withSql(async (sql) => {
      const bed = await new ShardBed(sql).create();
      await bed.set("a", "1");
      migrate(sql, [...migrations, addColumn]);
      expect(schemaVersion(sql)).toBe(migrations.length + 1);
      expect(sql.all("SELECT note FROM keys")).toEqual([{ note: null }]);
    });
  });

  it("of a newer Warp is refused, and nothing is touched", async () => {
    await host.withSql(async (sql) => {
      await new ShardBed(sql).create();
      migrate(sql, [...migrations, addColumn]);
      expect(() => new ShardBed(sql)).toThrow("deploy the newer Warp again");
      expect(schemaVersion(sql)).toBe(migrations.length + 1);
    });
  });

  it("stays as it was when a step fails in its middle", async () => {
    await host.withSql(async (sql) => {
      await new ShardBed(sql).create();
      const failing: Migration = (db) => {
        addColumn(db);
        db.run("THIS IS NOT SQL");
      };
      expect(() => migrate(sql, [...migrations, failing])).toThrow();
      expect(schemaVersion(sql)).toBe(migrations.length);
      expect(() => sql.all("SELECT note FROM keys")).toThrow();
    });
  });
});
