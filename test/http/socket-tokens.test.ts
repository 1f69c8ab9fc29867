import { describe, expect, it } from "vitest";
import { openAuthenticator } from "../../src/auth/open-authenticator.ts";
import { hmacKey, signToken } from "../../src/auth/token.ts";
import type { Caller } from "../../src/protocol/wire/caller.ts";

const nowMs = 1_800_000_000_000;
const clock = { now: () => nowMs };
const secret = "a-secret-of-enough-bytes";
const older = "an-older-secret-of-enough-bytes";
const page: Caller = {
  space: "app",
  shard: 3,
  subject: "web",
  invalidates: true,
  locks: true,
  isAdmin: true,
  follows: false,
  zone: "DFW",
};
const { follows: _, ...node } = page;

async function token(claims: object = {}, key = secret): Promise<string> {
  const all = { sub: "web", spaces: ["app"], prefixes: ["my/"], verbs: ["read"], exp: nowMs / 1_000 + 60 };
  return await signToken({ ...all, ...claims } as never, await hmacKey(key));
}

describe("WA9 tokens that sessions bring", () => {
  const authenticate = openAuthenticator({ WARP_SECRET: secret, WARP_SECRET_PREVIOUS: older }, clock);

  it("make the caller that they allow, at the place of the session, whatever it was before", async () => {
    const expected = {
      space: "app",
      shard: 3,
      subject: "web",
      invalidates: false,
      locks: false,
      isAdmin: false,
      follows: false,
      prefixes: ["my/"],
      writes: false,
      deletes: false,
      expiresAtMs: nowMs + 60_000,
      zone: "DFW",
    };
    expect(await authenticate(await token(), page)).toEqual(expected);
    expect(await authenticate(await token({}, older), { ...page, isPending: true, subject: "" })).toEqual(
      expected,
    );
    expect(await authenticate(secret, node)).toEqual({
      space: "app",
      shard: 3,
      subject: "admin",
      invalidates: true,
      locks: true,
      isAdmin: true,
      zone: "DFW",
    });
  });

  it.each<readonly [string, object, Caller, string]>([
    ["another space", { spaces: ["apple"] }, page, "forbidden"],
    ["no verb that would be of use", { verbs: ["metrics"] }, page, "forbidden"],
    ["some prefixes, and a node", { verbs: ["read", "write", "delete"] }, node, "forbidden"],
    ["some verbs, and a node", { prefixes: [""], verbs: ["read", "write"] }, node, "forbidden"],
    ["an end that is past", { exp: nowMs / 1_000 }, page, "token_expired"],
    ["one use", { use: "once", jti: "an-id-of-a-token" }, page, "token_invalid"],
  ])("of %s are refused", async (_what, claims, caller, code) => {
    await expect(authenticate(await token(claims), caller)).rejects.toMatchObject({ code });
  });

  it("that are none are refused, and where nobody may call, all are", async () => {
    for (const text of ["", "a.b.c", `${secret}x`, "x".repeat(5_000), `Bearer ${secret}`]) {
      await expect(authenticate(text, page)).rejects.toMatchObject({ code: "token_invalid" });
    }
    const closed = openAuthenticator({}, clock);
    await expect(closed(secret, page)).rejects.toMatchObject({ code: "deployment_closed" });
    const open = openAuthenticator({ WARP_OPEN: "loopback" }, clock);
    expect(await open("whatever", page)).toMatchObject({ subject: "open", isAdmin: true });
  });

  it("are looked at by secrets that are read when the first one comes: a wrong setting keeps no object from its Worker", async () => {
    const wrong = openAuthenticator({ WARP_SECRET: "short" }, clock);
    await expect(wrong("x", page)).rejects.toMatchObject({
      code: "invalid_argument",
      details: { setting: "WARP_SECRET" },
    });
  });
});
