import { describe, expect, it } from "vitest";
import { Authenticator } from "../../src/auth/authenticator.ts";
import { hmacKey, signToken } from "../../src/auth/token.ts";
import { WarpError } from "../../src/errors.ts";
import { authorize } from "../../src/http/authorize.ts";
import { Call } from "../../src/http/call.ts";
import { Guard } from "../../src/http/guard.ts";
import { parseTarget } from "../../src/http/target.ts";
import type { RedeemRequest } from "../../src/protocol/tokens.ts";
import { maxOnceTokenTtlMs } from "../../src/runtime/limits.ts";
import { fakeBed, problemOf, secret } from "./bed.ts";

const nowMs = 1_800_000_000_000;
const stream = { access: "read", takesQueryToken: true } as const;

/** A deployment whose home of a space remembers what was spent. */
function bed(changes: Parameters<typeof fakeBed>[0] = {}) {
  const made = fakeBed(changes);
  const spent: RedeemRequest[] = [];
  const { deployment } = made;
  Object.assign(deployment, {
    redeem: async (request: RedeemRequest) => {
      const isFresh = !spent.some(({ id, space }) => id === request.id && space === request.space);
      spent.push(request);
      return isFresh;
    },
  });
  const authenticator = new Authenticator(deployment.config, deployment.clock);
  const guard = new Guard(deployment.config);
  let endsAtMs = 0;
  /** What a stream of `space` makes of a query: the subject, or the code of the refusal. */
  const ask = async (query: string, headers: Record<string, string> = {}, route: object = stream) => {
    const request = new Request(`http://localhost/v1/app/watch${query}`, { headers });
    const call = new Call(deployment, request, parseTarget(request.url), authenticator, "r", guard);
    try {
      await authorize(call, { ...stream, ...route });
      endsAtMs = call.grant.expiresAtMs;
      return call.grant.subject;
    } catch (error) {
      if (error instanceof WarpError) return error.code;
      throw error;
    }
  };
  const mint = async (body: object) => {
    const asked = { subject: "web", spaces: ["app"], verbs: ["read"], use: "once", ...body };
    return await made.call("POST", "/tokens", {
      body: JSON.stringify(asked),
      headers: { "Content-Type": "application/json" },
    });
  };
  const minted = async (body: object = {}) => ((await (await mint(body)).json()) as { token: string }).token;
  return { ...made, ask, mint, minted, spent, endsAtMs: () => endsAtMs };
}

async function signed(claims: object): Promise<string> {
  const all = {
    sub: "web",
    spaces: ["app"],
    prefixes: [""],
    verbs: ["read"],
    iat: nowMs / 1_000,
    exp: nowMs / 1_000 + 60,
  };
  return await signToken({ ...all, ...claims } as never, await hmacKey(secret));
}

describe("WA9 a token for one use", () => {
  it("opens one stream from a query, and no second one", async () => {
    const { ask, minted, spent } = bed();
    const token = await minted();
    expect(await ask(`?prefix=a&token=${token}`)).toBe("web");
    expect(await ask(`?prefix=a&token=${token}`)).toBe("token_invalid");
    expect(spent).toHaveLength(2);
    expect(spent[0]).toEqual({ space: "app", id: expect.any(String), endsAtMs: nowMs + maxOnceTokenTtlMs });
  });

  it("is good for nothing else: not as bearer, and not for routes that take none", async () => {
    const { ask, call, minted, spent } = bed();
    const token = await minted();
    expect((await problemOf(await call("GET", "/v1/app/keys/a", { bearer: token }))).code).toBe(
      "token_invalid",
    );
    expect(await ask("", { Authorization: `Bearer ${token}` })).toBe("token_invalid");
    const path = `/v1/app/keys/a?token=${token}`;
    expect((await problemOf(await call("GET", path, { bearer: null }))).code).toBe("token_missing");
    expect((await problemOf(await call("GET", path))).code).toBe("invalid_argument");
    expect(spent).toEqual([]);
    expect(await ask(`?token=${token}`)).toBe("web");
  });

  it("SE2 no other token is taken from a query, the secret least of all: it would stand in logs", async () => {
    const { ask, spent } = bed();
    expect(await ask(`?token=${await signed({ jti: "a-token-id" })}`)).toBe("token_invalid");
    expect(await ask(`?token=${secret}`)).toBe("token_invalid");
    expect(await ask("?token=")).toBe("token_invalid");
    expect(await ask("?token=a.b.c")).toBe("token_invalid");
    expect(await ask(`?token=${"x".repeat(5_000)}`)).toBe("token_invalid");
    expect(spent).toEqual([]);
  });

  it("is not spent by what it does not allow, or by a request that shows two", async () => {
    const { ask, minted, spent, clock } = bed();
    expect(await ask(`?token=${await minted({ verbs: ["write"] })}`)).toBe("forbidden");
    expect(await ask(`?token=${await minted({ spaces: ["other"] })}`)).toBe("forbidden");
    const token = await minted();
    expect(await ask(`?token=${token}`, { Authorization: `Bearer ${secret}` })).toBe("invalid_argument");
    expect(spent).toEqual([]);
    clock.nowMs += maxOnceTokenTtlMs;
    expect(await ask(`?token=${token}`)).toBe("token_expired");
  });

  it("lives a minute at most, whoever signs it, and has an id", async () => {
    const { ask, mint, spent } = bed();
    const response = await mint({});
    expect(response.status).toBe(201);
    expect(await response.json()).toMatchObject({ use: "once", expiresAtMs: nowMs + maxOnceTokenTtlMs });
    expect(await (await mint({ expiresInMs: 5_000 })).json()).toMatchObject({ expiresAtMs: nowMs + 5_000 });
    expect(await problemOf(await mint({ expiresInMs: maxOnceTokenTtlMs + 1 }))).toMatchObject({
      code: "invalid_ttl",
      details: { field: "expiresInMs", min: 1_000, max: maxOnceTokenTtlMs },
    });
    expect((await problemOf(await mint({ use: "twice" }))).code).toBe("invalid_argument");
    const once = { use: "once", jti: "an-id-of-its-own" };
    expect(await ask(`?token=${await signed(once)}`)).toBe("web");
    for (const [at, wrong] of [
      { jti: undefined },
      { jti: "short" },
      { jti: "x".repeat(129) },
      { exp: nowMs / 1_000 + 121 },
      { use: "twice" },
      { use: true },
      { until: "soon" },
    ].entries()) {
      const claims = { ...once, jti: `an-id-of-its-own-${at}`, ...wrong };
      expect([wrong, await ask(`?token=${await signed(claims)}`)]).toEqual([wrong, "token_invalid"]);
    }
    expect(spent).toHaveLength(1);
  });

  it("opens what may last longer than itself, as long as was asked for and never longer than the one that asked", async () => {
    const { ask, mint, minted, endsAtMs, call } = bed();
    for (const [body, wanted] of [
      [{}, 600_000],
      [{ streamMs: 5_000, expiresInMs: 2_000 }, 5_000],
      [{ streamMs: 3_600_000 }, 3_600_000],
    ] as const) {
      expect(await ask(`?token=${await minted(body)}`)).toBe("web");
      expect(endsAtMs()).toBe(nowMs + wanted);
    }
    expect(await ask(`?token=${await signed({ use: "once", jti: "an-id-of-its-own" })}`)).toBe("web");
    expect(endsAtMs()).toBe(nowMs + 60_000);
    expect(await problemOf(await mint({ streamMs: 3_600_001 }))).toMatchObject({
      details: { field: "streamMs" },
    });
    expect(await problemOf(await mint({ streamMs: 5_000, use: undefined }))).toMatchObject({
      code: "invalid_argument",
      details: { field: "streamMs" },
    });
    const own = await signed({ verbs: ["admin"], spaces: ["*"], exp: nowMs / 1_000 + 30 });
    const asOwn = async (body: object) =>
      await call("POST", "/tokens", {
        bearer: own,
        body: JSON.stringify({ subject: "web", spaces: ["app"], verbs: ["read"], use: "once", ...body }),
        headers: { "Content-Type": "application/json" },
      });
    expect(await (await asOwn({})).json()).toMatchObject({
      expiresAtMs: nowMs + 30_000,
      until: nowMs / 1_000 + 30,
    });
    expect(await problemOf(await asOwn({ streamMs: 31_000 }))).toMatchObject({
      code: "forbidden",
      details: { field: "streamMs" },
    });
  });

  it("is not asked for where everybody may, and not taken where nobody may", async () => {
    expect(await bed({ secrets: [], open: true }).ask("?token=whatever")).toBe("open");
    expect(await bed({ secrets: [] }).ask("?token=whatever")).toBe("deployment_closed");
    const host = bed();
    Object.assign(host.deployment, { redeem: undefined });
    expect(await host.ask(`?token=${await host.minted()}`)).toBe("unsupported");
  });
});
