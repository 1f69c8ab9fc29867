import { describe, expect, it } from "vitest";
import { host } from "#host";
import { utf8 } from "../../src/runtime/bytes.ts";
import { murmur3 } from "../../src/runtime/hash.ts";

describe("murmur3", () => {
  it("gives the reference values of MurmurHash3_x86_32", () => {
    expect(murmur3(utf8(""), 0)).toBe(0);
    expect(murmur3(utf8(""), 1)).toBe(0x514e28b7);
    expect(murmur3(utf8("test"), 0)).toBe(0xba6bd213);
    expect(murmur3(utf8("Hello, world!"), 0)).toBe(0xc0363e43);
    expect(murmur3(utf8("The quick brown fox jumps over the lazy dog"), 0)).toBe(0x2e4ff723);
  });
});

describe("the host's SQLite", () => {
  it("rolls back what a failing transaction wrote, nested ones alone", async () => {
    const rows = await host.withSql((sql) => {
      sql.run("CREATE TABLE t (k TEXT PRIMARY KEY) WITHOUT ROWID");
      sql.transaction(() => {
        sql.run("INSERT INTO t VALUES (?)", "kept");
        expect(() =>
          sql.transaction(() => {
            sql.run("INSERT INTO t VALUES (?)", "inner");
            throw new Error("inner");
          }),
        ).toThrow("inner");
      });
      expect(() =>
        sql.transaction(() => {
          sql.run("INSERT INTO t VALUES (?)", "outer");
          throw new Error("outer");
        }),
      ).toThrow("outer");
      return sql.all("SELECT k FROM t");
    });
    expect(rows.map((row) => row.k)).toEqual(["kept"]);
  });
});
