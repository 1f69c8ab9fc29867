import { describe, expect, it } from "vitest";
import { rpcConnection, rpcFault } from "../../src/connection/rpc/rpc-connection.ts";
import { WarpError } from "../../src/errors.ts";
import type { RpcShardApi } from "../../src/protocol/shard-api.ts";

describe("rpc connection", () => {
  it("names a shard's object after space and shard, and takes a new stub for each call", () => {
    const names: string[] = [];
    const connection = rpcConnection({
      namespace: {
        idFromName: (name) => name,
        get: (name: string) => ({ stub: names.push(name) }) as unknown as RpcShardApi,
      },
      space: "shop",
    });
    expect(connection.space).toBe("shop");
    expect(connection.shard(0)).not.toBe(connection.shard(0));
    connection.shard(17);
    expect(names).toEqual(["shop/0", "shop/0", "shop/17"]);
  });

  it("OU1 whatever a stub throws, a mutation's fate is unknown and the cause is kept", () => {
    const cases: [object, string, boolean][] = [
      [Object.assign(new Error("Durable Object is overloaded."), { overloaded: true }), "overloaded", true],
      // The platform marks an object that it stopped for its memory in the same way: it may have committed.
      [
        Object.assign(new Error("exceeded its memory limit"), { overloaded: true, retryable: true }),
        "overloaded",
        true,
      ],
      [Object.assign(new Error("restarting"), { retryable: true }), "unavailable", true],
      [new Error("Network connection lost."), "unavailable", true],
      [
        Object.assign(new Error("Durable Object reset because its code was updated."), { remote: true }),
        "unavailable",
        true,
      ],
      [Object.assign(new TypeError("x is undefined"), { remote: true }), "internal", false],
      [new Error("who knows"), "unavailable", true],
    ];
    for (const [thrown, code, retryable] of cases) {
      const error = rpcFault(thrown);
      expect(error).toMatchObject({ code, retryable, outcome: "unknown" });
      expect(error.cause).toBe(thrown);
    }
    for (const thrown of [undefined, null, "text", 7]) {
      expect(rpcFault(thrown)).toMatchObject({ code: "unavailable", outcome: "unknown" });
    }
  });

  it("a shard's own error keeps its code and outcome", () => {
    const own = new WarpError("storage_unavailable", "the disk is full", { outcome: "fail" });
    expect(rpcFault(own)).toBe(own);
    const crossed = Object.assign(new Error("the disk is full"), {
      code: "storage_unavailable",
      outcome: "fail",
      remote: true,
    });
    expect(rpcFault(crossed)).toMatchObject({
      code: "storage_unavailable",
      outcome: "fail",
      retryable: true,
      message: "the disk is full",
    });
    expect(rpcFault({ code: "made_up", outcome: "fail", remote: true })).toMatchObject({
      code: "internal",
      outcome: "unknown",
    });
  });
});
