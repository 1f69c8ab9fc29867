import { describe, expect, test } from "vitest";
import { getKey, mergeKey, setKey } from "../../src/client/keys.ts";
import { resolveOperation, transact } from "../../src/client/transactions.ts";
import { fromUtf8, utf8 } from "../../src/runtime/bytes.ts";
import { appClient, clientOf, failing } from "./bed.ts";

const json = (value: unknown) => ({ bytes: utf8(JSON.stringify(value)), contentType: "application/json" });

describe("merge", () => {
  test.each([["plain"], ["../odd"], ["a/b c"]])("ME1 operands of %j are merged, none twice", async (key) => {
    const { client } = appClient();
    const settings = {
      method: "PUT",
      path: "/v1/app/registrations/*",
      json: { merge: "append" },
      mutation: true,
    } as const;
    await client.json(settings);
    expect(await mergeKey(client, "app", key, json([1]))).toMatchObject({ key, existed: false });
    const second = await mergeKey(client, "app", key, json([2]), { tags: ["a,b"] });
    expect(await mergeKey(client, "app", key, json([2]), { tags: ["a,b"], opId: second.opId })).toMatchObject(
      {
        version: second.version,
        replayed: true,
      },
    );
    await setKey(client, "app", key, json([3]));
    expect(fromUtf8((await getKey(client, "app", key)).payload.bytes)).toBe("[1,2,3]");
    const ifVersion = second.version;
    const late = mergeKey(client, "app", key, json([4]), { only: { ifVersion } });
    await expect(late).rejects.toMatchObject({ code: "precondition_failed" });
    await setKey(client, "app", key, json([5]), { replace: true });
    expect(fromUtf8((await getKey(client, "app", key)).payload.bytes)).toBe("[5]");
    await expect(mergeKey(client, "app", key, json(5), { only: { ifAbsent: true } })).rejects.toMatchObject({
      code: "precondition_failed",
      outcome: "fail",
    });
  });
});

describe("transactions", () => {
  test("TX1 one is carried out, a refusal is an error, and a comparison that does not hold is none", async () => {
    const { client } = appClient();
    const body = {
      compare: [{ key: "a", exists: false }],
      success: [{ op: "set", key: "a", json: { n: 1 } }],
      failure: [{ op: "get", key: "a" }],
    };
    const first = await transact(client, "app", body);
    expect(first).toMatchObject({ succeeded: true, results: [{ op: "set", key: "a", existed: false }] });
    const second = await transact(client, "app", body);
    expect(second).toMatchObject({ succeeded: false, version: 0, results: [{ op: "get", json: { n: 1 } }] });
    expect(await transact(client, "app", body, first.opId)).toEqual({ ...first, replayed: true });
    await expect(transact(client, "app", { compare: [{ key: "a" }] })).rejects.toMatchObject({
      code: "invalid_argument",
      outcome: "fail",
    });
  });

  test("OU1 a lost answer is unknown and names the op id", async () => {
    const { client } = clientOf(failing("ECONNRESET"));
    const opId = client.newOpId();
    await expect(transact(client, "app", { success: [] }, opId)).rejects.toMatchObject({
      outcome: "unknown",
      details: { opId },
    });
  });
});

describe("resolve", () => {
  test("OU3 tells, and with seal settles", async () => {
    const { client } = appClient();
    const { opId, version } = await setKey(client, "app", "../k", json(1));
    expect(await resolveOperation(client, "app", opId)).toEqual({ opId, state: "ok", version });
    expect(await resolveOperation(client, "app", opId, { key: "../k" })).toMatchObject({ state: "ok" });
    const late = client.newOpId();
    expect(await resolveOperation(client, "app", late, { key: "k" })).toEqual({
      opId: late,
      state: "unseen",
    });
    expect(await resolveOperation(client, "app", late, { key: "k", seal: true })).toMatchObject({
      state: "sealed",
    });
    await expect(setKey(client, "app", "k", json(1), { opId: late })).rejects.toMatchObject({
      code: "op_sealed",
    });
    await expect(resolveOperation(client, "app", "no op id")).rejects.toMatchObject({
      code: "invalid_op_id",
    });
  });
});
