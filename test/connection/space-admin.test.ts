import { describe, expect, it } from "vitest";
import { type SpaceAdmin, spaceAdmin } from "../../src/connection/space-admin.ts";
import { failure } from "../contract/adapter-bed.ts";
import { FakeSpace, refusal } from "./fake-space.ts";

function make(): { readonly space: FakeSpace; readonly admin: SpaceAdmin } {
  const space = new FakeSpace();
  return { space, admin: spaceAdmin({ connect: () => space.connection(), timers: space.time }) };
}

describe("space administration", () => {
  it("shows what there is, without making it", async () => {
    const { space, admin } = make();
    expect(await admin.get("test")).toBeUndefined();
    expect(await failure(admin.usage("test"))).toMatchObject({ code: "space_not_found" });
    const settings = space.found({ shards: 2 });
    expect(await admin.get("test")).toEqual({ space: settings, registrations: 0 });
    expect(space.closed).toBe(3);
  });

  it("creates with options in range only, and names the range", async () => {
    const { space, admin } = make();
    for (const shards of [0, 257, 1.5, Number.NaN]) {
      expect(await failure(admin.create("test", { shards }))).toMatchObject({
        code: "invalid_argument",
        details: { field: "shards", min: 1, max: 256 },
      });
    }
    for (const name of ["", "UPPER", "a/b", "-a", "a".repeat(65)]) {
      expect(await failure(admin.create(name))).toMatchObject({ code: "invalid_space" });
    }
    expect(space.sent).toEqual([]);
    expect(await admin.create("test", { shards: 4, strict: true })).toMatchObject({
      created: true,
      space: { shards: 4, strict: true },
    });
    expect(await admin.create("test")).toMatchObject({ created: false });
  });

  it("sums what all shards hold", async () => {
    const { space, admin } = make();
    space.found({ shards: 3 });
    const usage = await admin.usage("test");
    expect(usage).toMatchObject({ keys: 0, valueBytes: 30, logEntries: 3, databaseBytes: 300 });
    expect(usage.shards).toHaveLength(3);
  });

  it("sums what waits for the storage: the oldest one's age, one of the errors, nothing where nothing stands there", async () => {
    const { space, admin } = make();
    space.found({ shards: 3 });
    expect(await admin.usage("test")).not.toHaveProperty("outbox");
    const error = {
      code: "storage_timeout" as const,
      message: "late",
      outcome: "unknown" as const,
      retryable: true,
    };
    const waiting = [
      undefined,
      { entries: 2, bytes: 30, lagMs: 400 },
      { entries: 1, bytes: 5, lagMs: 900, error },
    ];
    const connection = space.connection();
    const shard = (index: number) => {
      const api = connection.shard(index);
      const outbox = waiting[index];
      const usage: typeof api.usage = async (scope) => ({
        ...(await api.usage(scope)),
        ...(outbox && { outbox }),
      });
      return new Proxy(api, { get: (_, name) => (name === "usage" ? usage : Reflect.get(api, name)) });
    };
    const one = spaceAdmin({
      connect: () => ({ ...connection, shard, fault: connection.fault, close: connection.close }),
      timers: space.time,
    });
    const { outbox, shards } = await one.usage("test");
    expect(outbox).toEqual({ entries: 3, bytes: 35, lagMs: 900, error });
    expect(shards.map((usage) => usage.outbox?.entries)).toEqual([undefined, 2, 1]);
  });

  it("deletes the home shard last", async () => {
    const { space, admin } = make();
    expect(await admin.delete("test")).toBe(false);
    space.found({ shards: 3 });
    space.sent.length = 0;
    expect(await admin.delete("test")).toBe(true);
    expect(space.sent).toEqual([
      "getSpace@0",
      "deleteSpace@0",
      "deleteSpace@2",
      "deleteSpace@1",
      "deleteSpace@0",
    ]);
    expect(await admin.get("test")).toBeUndefined();
  });

  it("takes up again a deletion that was cut short", async () => {
    const { space, admin } = make();
    space.found({ shards: 3 });
    space.next("deleteSpace@1", "lost");
    expect(await failure(admin.delete("test"))).toMatchObject({ code: "unavailable", outcome: "unknown" });
    expect(await failure(admin.get("test"))).toMatchObject({ code: "space_deleting" });
    expect(space.settings).toBeDefined();
    expect(await admin.delete("test")).toBe(true);
    expect(space.settings).toBeUndefined();
    expect(space.sent.filter((call) => call === "deleteSpace@2")).toHaveLength(2);
  });

  it("says that a deletion that was refused in its middle has begun", async () => {
    const { space, admin } = make();
    space.found();
    const connection = space.connection();
    const home = connection.shard(0);
    const deleteSpace: typeof home.deleteSpace = async (name, step, id) =>
      step === "begin" ? await home.deleteSpace(name, step, id) : refusal("overloaded");
    const refusing = new Proxy(home, {
      get: (_, name) => (name === "deleteSpace" ? deleteSpace : Reflect.get(home, name)),
    });
    const one = spaceAdmin({
      connect: () => ({
        ...connection,
        shard: () => refusing,
        fault: connection.fault,
        close: connection.close,
      }),
      timers: space.time,
    });
    // By `fail` a caller would take the space for untouched, but nobody can use it any more.
    expect(await failure(one.delete("test"))).toMatchObject({ code: "overloaded", outcome: "unknown" });
    expect(await failure(admin.get("test"))).toMatchObject({ code: "space_deleting" });
    expect(await failure(one.delete("test"))).toMatchObject({ outcome: "unknown" });
    expect(await admin.delete("test")).toBe(true);
  });

  it("takes it up in every shard that there may be where the home shard can't say how many", async () => {
    const { space, admin } = make();
    space.found({ shards: 3 });
    space.tellsShards = false;
    space.next("deleteSpace@0", "answer lost");
    expect(await failure(admin.delete("test"))).toMatchObject({ code: "unavailable", outcome: "unknown" });
    space.sent.length = 0;
    expect(await admin.delete("test")).toBe(true);
    expect(new Set(space.sent).size).toBe(257);
    expect(space.sent.at(-1)).toBe("deleteSpace@0");
    expect(space.settings).toBeUndefined();
  });

  it("keeps deadlines, and says whether anything may have been done", async () => {
    const { space, admin } = make();
    space.found();
    space.next("getSpace@0", "hangs");
    const look = failure(admin.get("test", { timeoutMs: 100 }));
    space.time.advance(100);
    expect(await look).toMatchObject({ code: "deadline_exceeded", outcome: "fail" });
    space.next("createSpace@0", "hangs");
    const creation = failure(admin.create("test"));
    space.time.advance(10_000);
    expect(await creation).toMatchObject({ code: "deadline_exceeded", outcome: "unknown" });
    space.next("createSpace@0", refusal("overloaded"));
    expect(await failure(admin.create("test"))).toMatchObject({ code: "overloaded", outcome: "fail" });
  });
});
