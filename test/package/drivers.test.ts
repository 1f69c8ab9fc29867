import { describe, expect, test } from "vitest";
import type { Adapter } from "../../src/adapter/adapter.ts";
import { memoryAdapter } from "../../src/adapter/memory/memory-adapter.ts";
import { nullAdapter } from "../../src/adapter/null/null-adapter.ts";
import { shardAdapter } from "../../src/adapter/shard/shard-adapter.ts";
import { upstashAdapter } from "../../src/adapter/upstash/upstash-adapter.ts";
import { SpaceClient } from "../../src/connection/space-client.ts";
import { directConnection } from "../support/direct-connection.ts";
import { ManualTime } from "../support/manual-time.ts";
import { seeded } from "../support/seeded.ts";
import { filesIn, read } from "./source.ts";

const time = new ManualTime();
const host = { clock: time, timers: time, random: seeded(1) };
const nowhere = directConnection("none", () => {
  throw new Error("nothing is asked here");
});

const drivers: Readonly<Record<string, Adapter>> = {
  memory: memoryAdapter(host),
  null: nullAdapter(host),
  shard: shardAdapter(new SpaceClient({ connection: nowhere, timers: time })),
  upstash: upstashAdapter({ ...host, url: "https://example.upstash.io", token: "none", space: "none" }),
};

/** The table of drivers as rows of cells, its head first. */
const table = read("docs/adapter.md")
  .split("\n## The drivers\n")[1]
  ?.split("\n### ")[0]
  ?.split("\n")
  .filter((line) => line.startsWith("| "))
  .map((line) =>
    line
      .split("|")
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );

describe("docs/adapter.md", () => {
  test("has a column for each driver", () => {
    const folders = filesIn("src/adapter", ".ts").map((file) => file.split("/")[2] ?? "");
    // What goes around others can what those can.
    const named = [...new Set(folders.filter((name) => !name.endsWith(".ts") && name !== "failover"))].sort();
    expect(Object.keys(drivers).sort()).toEqual(named);
    expect(table?.[0]?.slice(1)).toEqual(Object.keys(drivers));
  });

  test.each(Object.entries(drivers))("says of %s what it says itself", (name, { supports }) => {
    const column = (table?.[0] ?? []).indexOf(name);
    const told = (table ?? []).slice(1).map((cells) => {
      const ability = /^`(\w+)`/.exec(cells[0] ?? "")?.[1];
      // What depends on how it is made (`with …`) is told as what it is without.
      return [ability, /^yes/.test(cells[column] ?? "")];
    });
    expect(Object.fromEntries(told)).toEqual(supports);
  });
});
