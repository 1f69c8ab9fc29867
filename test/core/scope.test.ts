import { describe, expect, expectTypeOf, it } from "vitest";
import { KeyRing } from "../../src/core/key-ring.ts";
import type { KeyScope } from "../../src/core/key-scope.ts";
import type { Scope } from "../../src/core/scope.ts";
import type { Entry } from "../../src/core/types.ts";
import { textCodec } from "../../src/runtime/codec.ts";
import type { StandardSchemaV1 } from "../../src/runtime/standard-schema.ts";
import { codeOf, coreBed, statics } from "../support/core-bed.ts";

interface User {
  readonly name: string;
}

/** A schema that counts its runs and lets through what has a name. */
function userSchema(wait = false): StandardSchemaV1<unknown, User> & { runs: number } {
  const schema = {
    runs: 0,
    "~standard": {
      version: 1 as const,
      vendor: "test",
      validate: (value: unknown) => {
        schema.runs++;
        const { name } = (value ?? {}) as { name?: unknown };
        const result =
          typeof name === "string"
            ? { value: { name } }
            : { issues: [{ message: "must be a string", path: ["name"] }] };
        return wait ? Promise.resolve(result) : result;
      },
    },
  };
  return schema;
}

describe("scope", () => {
  it("has the types of its values and ids", async () => {
    const { warp } = coreBed().node();
    const users = warp.scope<User>("user:*", { mode: "local" });
    const config = warp.scope<User>("config");
    expectTypeOf(users).toEqualTypeOf<Scope<User>>();
    expectTypeOf(config).toEqualTypeOf<KeyScope<User>>();
    expectTypeOf(users.get).returns.resolves.toEqualTypeOf<User | undefined>();
    expectTypeOf(users.getEntry).returns.resolves.toEqualTypeOf<Entry<User> | undefined>();
    expectTypeOf(users.peek).returns.toEqualTypeOf<User | undefined>();
    expectTypeOf(users.set).parameter(1).toEqualTypeOf<User>();
    expectTypeOf(users.getMany).returns.resolves.toEqualTypeOf<Map<string, User>>();
    expectTypeOf(() => users.getOrSet("1", () => ({ name: "Ada" }))).returns.resolves.toEqualTypeOf<User>();
    expectTypeOf(config.get).returns.resolves.toEqualTypeOf<User | undefined>();
    expectTypeOf(config.set).parameter(0).toEqualTypeOf<User>();
    // @ts-expect-error a user has a name
    expectTypeOf(() => users.set("1", { nome: "Ada" })).returns.toBeObject();
    const schema = userSchema();
    expectTypeOf(warp.scope("s:*", { schema })).toEqualTypeOf<Scope<User>>();
    await warp.close();
  });

  it("puts prefix and id together, and has what Warp has", async () => {
    const bed = coreBed();
    const { warp } = bed.node();
    const users = warp.scope<User>("user:*", { mode: "local", cacheTtlMs: 600_000 });
    await users.set("1", { name: "Ada" });
    expect(await warp.get("user:1")).toEqual({ name: "Ada" });
    expect(users.peek("1")).toBe(users.peek("1"));
    expect(await users.getEntry("1")).toMatchObject({ key: "user:1", value: { name: "Ada" }, cache: "hit" });
    await users.setMany([
      ["2", { name: "Bob" }],
      ["3", { name: "Cy" }],
    ]);
    expect([...(await users.getMany(["3", "1", "9"])).keys()]).toEqual(["3", "1"]);
    expect((await users.list({ prefix: "2" })).items.map(({ key }) => key)).toEqual(["user:2"]);
    expect(await users.getOrSet("4", () => ({ name: "Di" }))).toEqual({ name: "Di" });
    expect((await users.delete("4")).existed).toBe(true);
    expect((await users.lookup("4")).version).toBe(0);
    await users.invalidate(["1"]);
    expect(users.peek("1")).toBeUndefined();
    await users.get("1");
    expect(await users.invalidateLocal()).toBeGreaterThan(0);
    expect(users.key("7")).toBe("user:7");
  });

  it("of an exact key takes no id", async () => {
    const { warp } = coreBed().node();
    const config = warp.scope<{ debug: boolean }>("config", { mode: "local" });
    expect(await config.getOrSet(() => ({ debug: false }))).toEqual({ debug: false });
    await config.set({ debug: true });
    expect(config.peek()).toEqual({ debug: true });
    expect(await warp.get("config")).toEqual({ debug: true });
    await config.invalidate();
    expect(config.peek()).toBeUndefined();
    await config.delete();
    expect(await config.get()).toBeUndefined();
  });

  it("registers at its first use, once, and waits for nothing later", async () => {
    const bed = coreBed();
    const { warp, adapter } = bed.node();
    const users = warp.scope<User>("user:*", { mode: "local" });
    expect(adapter.count("register")).toBe(0);
    await users.get("1");
    expect((await warp.registration("user:*"))?.settings.mode).toBe("local");
    await users.set("1", { name: "Ada" });
    await bed.node().warp.scope<User>("user:*", { mode: "local" }).get("1");
    expect(adapter.count("register")).toBe(1);
    adapter.hold("space", "registrations", "register", "getMany");
    expect(await users.get("1")).toEqual({ name: "Ada" });
  });

  it("CORE-10 that differs from another of this node, or from what the node knows, is refused at once", async () => {
    const bed = coreBed();
    const { warp } = bed.node({ registrations: statics({ "static:*": { mode: "local" } }) });
    warp.scope("a:*", { mode: "local" });
    warp.scope("a:*", { mode: "local" });
    expect(() => warp.scope("a:*", { mode: "strong" })).toThrow("other settings");
    expect(() => warp.scope("static:*", { mode: "strong" })).toThrow("configuration");
    await warp.register("b:*", { mode: "local" });
    await warp.get("b:1");
    expect(() => warp.scope("b:*", { mode: "strong" })).toThrow("other settings");
  });

  it("CORE-10 that differs from what the space has is refused at its first use, and the first settings stay", async () => {
    const bed = coreBed();
    await bed.node().warp.register("user:*", { mode: "strong" });
    const { warp } = bed.node();
    const users = warp.scope<User>("user:*", { mode: "local" });
    expect(await codeOf(users.get("1"))).toBe("registration_conflict");
    expect(await codeOf(users.set("1", { name: "Ada" }))).toBe("registration_conflict");
    expect(users.peek("1")).toBeUndefined();
    expect((await warp.registration("user:*"))?.settings.mode).toBe("strong");
  });

  it("without a policy follows what is registered and registers nothing", async () => {
    const bed = coreBed();
    const { warp, adapter } = bed.node();
    await bed.node().warp.register("user:*", { mode: "strong" });
    const users = warp.scope<User>("user:*");
    await users.set("1", { name: "Ada" });
    expect((await users.lookup("1")).cache).toBe("bypass");
    expect(adapter.count("register")).toBe(0);
  });

  it("CO1 a longer pattern speaks for its own keys within a scope", async () => {
    const { warp } = coreBed().node();
    const users = warp.scope<User>("user:*", { mode: "local" });
    await users.set("1", { name: "Ada" });
    await warp.register("user:vip:*", { mode: "strong" });
    await users.set("vip:1", { name: "Vi" });
    expect((await users.lookup("vip:1")).cache).toBe("bypass");
    expect((await users.lookup("1")).cache).toBe("hit");
  });

  it.each([false, true])(
    "a schema checks before writing and once for each copy; it takes its time: %s",
    async (wait) => {
      const bed = coreBed();
      const schema = userSchema(wait);
      const { warp } = bed.node();
      const users = warp.scope("user:*", { mode: "local", schema });
      await users.set("1", { name: "Ada", age: 3 } as User);
      expect(schema.runs).toBe(1);
      // What the schema gives is what is stored.
      expect(await warp.get("user:1")).toEqual({ name: "Ada" });
      const first = await users.get("1");
      for (let i = 0; i < 3; i++) expect(await users.get("1")).toBe(first);
      expect(users.peek("1")).toBe(first);
      expect(schema.runs).toBe(2);
      expect(Object.isFrozen(first)).toBe(true);
      expect(await codeOf(users.set("2", { name: 7 } as unknown as User))).toBe("invalid_value");
      expect((await users.lookup("2")).version).toBe(0);
      await warp.set("user:3", { nome: "?" });
      await expect(users.get("3")).rejects.toMatchObject({
        code: "decode_failed",
        message: expect.stringContaining("name: must be a string"),
      });
      const [bad] = await users.setMany([["4", {} as User]]);
      expect(bad).toMatchObject({ key: "user:4", error: { code: "invalid_value" } });
    },
  );

  it("a peek before a slow check has ended gives nothing; a later one has its result", async () => {
    const bed = coreBed();
    const { warp } = bed.node();
    const users = warp.scope("user:*", { mode: "local", schema: userSchema(true) });
    await users.set("1", { name: "Ada" });
    expect(users.peek("1")).toBeUndefined();
    await bed.clock.settle();
    expect(users.peek("1")).toEqual({ name: "Ada" });
  });

  it("takes a codec", async () => {
    const { warp } = coreBed().node();
    const texts = warp.scope("text:*", { codec: textCodec });
    expectTypeOf(texts).toEqualTypeOf<Scope<string>>();
    await texts.set("1", "hello");
    expect((await texts.getEntry("1"))?.contentType).toBe("text/plain; charset=utf-8");
  });
});

describe("key ring", () => {
  it("gives the same string for an id in use, and keeps a bounded number", () => {
    const ring = new KeyRing("user:");
    for (let i = 0; i < 50_000; i++) expect(ring.key(`${i}`)).toBe(`user:${i}`);
    expect(ring.key("1")).toBe("user:1");
  });
});
