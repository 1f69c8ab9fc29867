import { expect, it } from "vitest";
import { host } from "#host";
import { ShardBed } from "../support/shard-bed.ts";

/** Rings the alarm as long as it is due; gives how often. */
async function rings(bed: ShardBed): Promise<number> {
  for (let count = 0; ; count++) {
    if (bed.alarmMs === undefined || bed.alarmMs > bed.nowMs || count === 20) return count;
    bed.alarmMs = undefined;
    await bed.shard.onAlarm();
  }
}

it.each(["set", "delete"] as const)(
  "a life that a %s has ended before its time wakes the shard once at most, not for ever",
  (how) =>
    host.withSql(async (sql) => {
      const bed = await new ShardBed(sql).create();
      await bed.set("k", "v", { expiresInMs: 1_000 });
      await bed.set("later", "v", { expiresInMs: 60_000 });
      if (how === "set") await bed.set("k", "w");
      else await bed.delete("k");
      bed.nowMs += 1_001;
      expect(await rings(bed)).toBeLessThanOrEqual(1);
      expect(bed.alarmMs).toBeGreaterThan(bed.nowMs);
      expect(await bed.text("k")).toBe(how === "set" ? "w" : undefined);
      bed.nowMs += 60_000;
      expect(await rings(bed)).toBeLessThanOrEqual(2);
      expect(await bed.text("later")).toBeUndefined();
    }),
);
