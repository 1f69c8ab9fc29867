import { describe, expect, test } from "vitest";
import { deleteKey, getKey, mergeKey, setKey } from "../../src/client/keys.ts";
import { fromUtf8, utf8 } from "../../src/runtime/bytes.ts";
import { HeldByTest } from "../support/held-locks.ts";
import { appClient } from "./bed.ts";

const text = (value: string) => ({ bytes: utf8(value), contentType: "text/plain" });

/** Keys that URLs, proxies and form decoders like to change. */
const awkward = [
  "plain",
  "a/b",
  "a//b/",
  "/",
  "../odd",
  "..",
  ".",
  "a/./b",
  "%2e%2e",
  "a+b c&d=e?f#g",
  "ключ/鍵/🗝",
  "new\nline\u0000",
];

describe("keys", () => {
  test.each(awkward.map((key) => [key]))("the key %j is written, read and deleted as itself", async (key) => {
    const { client } = appClient();
    expect(await setKey(client, "app", key, text("v"))).toMatchObject({ key, existed: false });
    const found = await getKey(client, "app", key);
    expect(fromUtf8(found.payload.bytes)).toBe("v");
    expect(found.payload.contentType).toBe("text/plain");
    expect(await deleteKey(client, "app", key)).toMatchObject({ key, existed: true });
    await expect(getKey(client, "app", key)).rejects.toMatchObject({ code: "not_found" });
  });

  test.each([["a"], ["../a"]])("bytes of any kind come back as they were, under %j", async (key) => {
    const { client } = appClient();
    const all = Uint8Array.from({ length: 256 }, (_, byte) => byte);
    for (const bytes of [
      all,
      new Uint8Array(0),
      utf8('{ "spaced": 1 }'),
      utf8('{"a":1}'),
      utf8("\ufeffbom"),
    ]) {
      await setKey(client, "app", key, { bytes, contentType: "application/json" });
      const found = await getKey(client, "app", key);
      expect([...found.payload.bytes]).toEqual([...bytes]);
      expect(found.payload.contentType).toBe("application/json");
    }
  });

  test.each([["a"], ["../a"]])("a version decides at the authority, under %j", async (key) => {
    const { client } = appClient();
    const first = await setKey(client, "app", key, text("1"), { only: { ifAbsent: true } });
    const refused = { code: "precondition_failed", outcome: "fail" };
    await expect(setKey(client, "app", key, text("2"), { only: { ifAbsent: true } })).rejects.toMatchObject(
      refused,
    );
    const ifVersion = first.version;
    const second = await setKey(client, "app", key, text("2"), { only: { ifVersion } });
    expect(second.version).toBeGreaterThan(ifVersion);
    await expect(deleteKey(client, "app", key, { only: { ifVersion } })).rejects.toMatchObject(refused);
    expect(await deleteKey(client, "app", key, { only: { ifVersion: second.version } })).toMatchObject({
      existed: true,
    });
  });

  test.each([["a"], ["../a"]])("OU2 the same op id under %j gives the first verdict again", async (key) => {
    const { client } = appClient();
    const opId = client.newOpId();
    const first = await setKey(client, "app", key, text("1"), { opId });
    expect(first).toMatchObject({ opId, replayed: false });
    const again = await setKey(client, "app", key, text("1"), { opId });
    expect(again).toMatchObject({ opId, replayed: true, version: first.version });
  });

  test("a life is sent and told", async () => {
    const { client, sent } = appClient();
    await setKey(client, "app", "a", text("1"), { expiresInMs: 60_000 });
    expect(sent.at(-1)?.url).toContain("?expiresInMs=60000");
    const { expiresInMs } = await getKey(client, "app", "a");
    expect(expiresInMs).toBeGreaterThan(0);
    expect(expiresInMs).toBeLessThanOrEqual(60_000);
  });

  test("CO9 tags go as they are, those with a comma too", async () => {
    const { client, sent } = appClient();
    await setKey(client, "app", "a", text("1"), { tags: ["one", "two words"] });
    expect(sent.at(-1)?.url).toContain("?tags=one%2Ctwo%20words");
    await setKey(client, "app", "a", text("1"), { tags: ["one,two"] });
    expect(fromUtf8(sent.at(-1)?.request.body as Uint8Array)).toContain('"tags":["one,two"]');
  });

  test.each([["a"], ["../a"]])("LK14 a guard goes along, under %j", async (key) => {
    const locks = new HeldByTest();
    const { client } = appClient(locks);
    const lock = "ключ=/%";
    const guard = { lock, fence: locks.grant(lock) };
    await setKey(client, "app", key, text("1"), { guard });
    await deleteKey(client, "app", key, { guard });
    locks.grant(lock);
    const stale = { code: "stale_fence", outcome: "fail" };
    await expect(setKey(client, "app", key, text("1"), { guard })).rejects.toMatchObject(stale);
    await expect(mergeKey(client, "app", key, text("1"), { guard })).rejects.toMatchObject(stale);
    await expect(deleteKey(client, "app", key, { guard })).rejects.toMatchObject(stale);
    const wrong = { lock: "\ud800", fence: 1 };
    await expect(setKey(client, "app", key, text("1"), { guard: wrong })).rejects.toMatchObject({
      code: "invalid_lock",
    });
  });

  test("a name that no URL can carry is refused where there is no other way", async () => {
    const { client, sent } = appClient();
    await expect(getKey(client, "app", "..", { version: 1 })).rejects.toMatchObject({ code: "unsupported" });
    await expect(getKey(client, "..", "a")).rejects.toMatchObject({ code: "invalid_space" });
    await expect(getKey(client, "app", "\ud800")).rejects.toMatchObject({ code: "invalid_encoding" });
    expect(sent).toEqual([]);
  });
});
