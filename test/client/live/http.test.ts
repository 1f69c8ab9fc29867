import { describe, expect, it } from "vitest";
import type { ClientHost } from "../../../src/runtime/client-host.ts";
import type { Fetch } from "../../../src/runtime/fetch.ts";
import { secret } from "../../http/bed.ts";
import { loadedClient } from "../../support/loaded-client.ts";
import { seeded } from "../../support/seeded.ts";
import { virtualClock } from "../../support/virtual-clock.ts";
import { answering, appClient, failing, silent } from "../bed.ts";

/** A client whose HTTP calls go through `fetch`, and which has no sockets. */
function clientOver(fetch: Fetch, token: string | (() => Promise<string>) | undefined = secret) {
  const clock = virtualClock(1_800_000_000_000);
  const host: ClientHost = {
    clock,
    elapsed: clock,
    timers: clock,
    random: seeded(1),
    sockets: { open: () => ({ send() {}, close() {}, bufferedBytes: 0 }) },
    fetch,
  };
  const options = { url: "http://localhost", space: "shop", host };
  return { clock, client: loadedClient(token === undefined ? options : { ...options, token }) };
}

const thrown = (promise: Promise<unknown>): Promise<unknown> => promise.catch((error: unknown) => error);

describe("HTTP calls of a client", () => {
  it("every route by its name: paths filled in, queries and bodies as they are declared, answers parsed", async () => {
    const { fetch, sent } = appClient();
    const { client } = clientOver(fetch);
    const made = await client.http("PUT /v1/{space}", { body: { shards: 1 } });
    expect([made.status, made.body.created]).toEqual([201, true]);
    const key = "a/b c?d";
    const written = await client.http("PUT /v1/{space}/keys/{key}", {
      path: { key },
      body: new TextEncoder().encode("x\ny"),
      headers: { "Content-Type": "text/plain" },
    });
    expect([written.status, written.body.version > 0, written.header("Warp-Op-Id")]).toEqual([
      201,
      true,
      written.body.opId,
    ]);
    await client.http("PUT /v1/{space}/keys/{key}", { path: { key: "json" }, body: { a: 1 } });
    expect((await client.http("GET /v1/{space}/keys/{key}", { path: { key: "json" } })).body).toEqual({
      a: 1,
    });
    const page = await client.http("GET /v1/{space}/keys", { query: { prefix: "j", values: true } });
    expect(page.body.items.map(({ key: name, json }) => [name, json])).toEqual([["json", { a: 1 }]]);
    expect((await client.http("GET /healthz")).body.status).toBe("ok");
    expect(sent.some(({ url }) => url.endsWith("/v1/shop/keys/a%2Fb%20c%3Fd"))).toBe(true);
  });

  it("a problem is thrown as the error that it stands for", async () => {
    const { fetch } = appClient();
    const { client } = clientOver(fetch);
    expect(await thrown(client.http("GET /v1/{space}/keys/{key}", { path: { key: "none" } }))).toMatchObject({
      code: "not_found",
      outcome: "fail",
    });
    expect(await thrown(client.http("GET /v1/{space}/keys/{key}", { path: { key: ".." } }))).toMatchObject({
      code: "unsupported",
    });
    const { client: elsewhere } = clientOver(answering(502, "<html>"));
    expect(await thrown(elsewhere.http("DELETE /v1/{space}"))).toMatchObject({
      code: "unavailable",
      outcome: "unknown",
    });
    const { client: unchanged } = clientOver(
      async () => new Response(null, { status: 304, headers: { "Content-Type": "application/json" } }),
    );
    expect(await unchanged.http("GET /v1/{space}")).toMatchObject({ status: 304, body: undefined });
    const { client: nobody } = clientOver(fetch, "wrong");
    expect(await thrown(nobody.http("GET /v1/{space}"))).toMatchObject({ code: "token_invalid" });
  });

  it("OU1 what was lost on the way is unknown for what may change something, and fails for what only looks", async () => {
    const { client } = clientOver(failing("ECONNRESET"));
    expect(await thrown(client.http("GET /v1/{space}"))).toMatchObject({
      code: "unavailable",
      outcome: "fail",
    });
    expect(await thrown(client.http("DELETE /v1/{space}"))).toMatchObject({
      code: "unavailable",
      outcome: "unknown",
    });
    const { client: waiting, clock } = clientOver(silent);
    const late = thrown(
      waiting.http("POST /v1/{space}/restore/{key}", {
        path: { key: "k" },
        body: { version: 1 },
        timeoutMs: 500,
      }),
    );
    await clock.advance(600);
    expect(await late).toMatchObject({ code: "deadline_exceeded", outcome: "unknown" });
    const controller = new AbortController();
    const given = thrown(waiting.http("GET /v1/{space}", { signal: controller.signal }));
    await clock.settle();
    controller.abort();
    expect(await given).toMatchObject({ code: "aborted", outcome: "fail" });
  });

  it("OU1 waits no longer than it was told to for a token, either, and has sent nothing then", async () => {
    const { fetch, sent } = appClient();
    let give: (token: string) => void = () => {};
    const token = new Promise<string>((resolve) => {
      give = resolve;
    });
    const { client, clock } = clientOver(fetch, () => token);
    const told: unknown[] = [];
    const late = client.http("DELETE /v1/{space}", { timeoutMs: 500 });
    const controller = new AbortController();
    const given = client.http("DELETE /v1/{space}", { signal: controller.signal });
    for (const call of [late, given]) call.catch((error: unknown) => told.push(error));
    await clock.advance(600);
    controller.abort();
    await clock.settle();
    expect(told).toMatchObject([
      { code: "deadline_exceeded", outcome: "fail" },
      { code: "aborted", outcome: "fail" },
    ]);
    give(secret);
    await clock.settle();
    expect(sent).toEqual([]);
  });
});
