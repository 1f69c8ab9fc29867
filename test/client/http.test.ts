import { describe, expect, test } from "vitest";
import type { HttpCall } from "../../src/client/http.ts";
import { problemOf } from "../../src/client/problem.ts";
import { WarpError } from "../../src/errors.ts";
import { uuidv7Time } from "../../src/runtime/ids.ts";
import { answering, appClient, chunks, clientOf, failing, silent } from "./bed.ts";

const read: HttpCall = { method: "GET", path: "/v1/app/keys/a" };
const write: HttpCall = { method: "PUT", path: "/v1/app/keys/a", opId: "op" };

async function errorOf(work: Promise<unknown>): Promise<WarpError> {
  const error = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof WarpError)) throw new Error(`no WarpError: ${String(error)}`);
  return error;
}

describe("the client's options", () => {
  test.each([
    [""],
    ["localhost:8787"],
    ["ftp://localhost"],
    ["http://user:password@localhost"],
    ["http://localhost?x=1"],
    ["http://"],
  ])("OU4 the URL %j is refused, and not repeated", (url) => {
    expect(() => clientOf(silent, { url })).toThrow(/http:\/\/ or https:\/\//);
    expect(() => clientOf(silent, { url })).not.toThrow(/password/);
  });

  test.each([[""], ["two words"], ["line\nbreak"], ["ä"], ["x".repeat(4_097)]])(
    "SE2 a malformed token is refused without being told",
    (token) => {
      try {
        clientOf(silent, { token });
        expect.unreachable();
      } catch (error) {
        expect(error).toMatchObject({ code: "invalid_argument" });
        if (token !== "") expect(String(error)).not.toContain(token);
      }
    },
  );

  test.each([[99], [120_001], [Number.NaN]])("OU4 the time-out %d is refused with its range", (timeoutMs) => {
    expect(() => clientOf(silent, { timeoutMs })).toThrow("a time-out is 100 to 120000 ms");
  });

  test("a deployment below a path is called below it", async () => {
    const seen: string[] = [];
    const { client } = clientOf(
      async (url) => {
        seen.push(url);
        return new Response("{}");
      },
      { url: "https://example.org/warp/" },
    );
    await client.json(read);
    expect(seen).toEqual(["https://example.org/warp/v1/app/keys/a"]);
  });
});

describe("what a failed call comes to", () => {
  test("OU4 a problem becomes the error it is, with the document as its cause", async () => {
    const { client } = appClient();
    const error = await errorOf(client.call({ method: "GET", path: "/v1/app/keys/a?version=0" }));
    expect(error).toMatchObject({ code: "invalid_version", outcome: "fail", retryable: false });
    expect(problemOf(error)).toMatchObject({ status: 400, code: "invalid_version" });
    expect(problemOf(error)?.requestId).toMatch(/./);
  });

  test.each([
    ["ECONNREFUSED", "fail"],
    ["ENOTFOUND", "fail"],
    ["ECONNRESET", "unknown"],
    ["UND_ERR_SOCKET", "unknown"],
  ])("OU1 %s leaves a mutation as %s, and a read always as fail", async (code, outcome) => {
    const { client } = clientOf(failing(code));
    expect(await errorOf(client.call(write))).toMatchObject({
      code: "unavailable",
      outcome,
      retryable: true,
    });
    expect(await errorOf(client.call(read))).toMatchObject({ code: "unavailable", outcome: "fail" });
  });

  test("OU1 an unknown outcome names the op id to repeat the call with", async () => {
    const { client } = clientOf(failing("ECONNRESET"));
    expect((await errorOf(client.call(write))).details).toMatchObject({ opId: "op" });
    expect((await errorOf(client.call(read))).details).toBeUndefined();
  });

  test("OU1 silence ends a call half a second after the deadline that the server was told", async () => {
    const sent: Record<string, string>[] = [];
    const { client, clock } = clientOf(
      (url, request) => {
        sent.push(request.headers);
        return silent(url, request);
      },
      { timeoutMs: 2_000 },
    );
    let ended = false;
    const work = errorOf(client.call(write)).finally(() => {
      ended = true;
    });
    await clock.advance(2_499);
    expect(ended).toBe(false);
    await clock.advance(1);
    expect(await work).toMatchObject({ code: "deadline_exceeded", outcome: "unknown" });
    expect(sent[0]?.["Warp-Timeout-Ms"]).toBe("2000");
    expect(clock.timers).toBe(0);
  });

  test.each([
    [301, "internal", "fail"],
    [403, "forbidden", "fail"],
    [404, "route_not_found", "fail"],
    [429, "overloaded", "fail"],
    [502, "unavailable", "unknown"],
    [500, "internal", "unknown"],
  ])("OU4 a %i that Warp did not write is %s, a mutation's outcome %s", async (status, code, outcome) => {
    const { client } = clientOf(answering(status, "<html>", { "Content-Type": "text/html" }));
    const error = await errorOf(client.call(write));
    expect(error).toMatchObject({ code, outcome });
    expect(error.message).toContain(`answered ${status}`);
  });

  test("a code that this client does not know keeps its text and outcome", async () => {
    const problem = { code: "too_new", detail: "of a later day", outcome: "unknown", retryable: true };
    const { client } = clientOf(
      answering(409, JSON.stringify(problem), { "Content-Type": "application/problem+json" }),
    );
    const error = await errorOf(client.call(write));
    expect(error).toMatchObject({ code: "internal", outcome: "unknown", retryable: true });
    expect(error.message).toBe("too_new: of a later day");
  });

  test("an answer that is no JSON is told as such", async () => {
    const { client } = clientOf(answering(200, "<html>"));
    expect(await errorOf(client.json(read))).toMatchObject({ code: "decode_failed" });
  });
});

describe("calls that come piece by piece", () => {
  test("the deadline bounds silence, not the whole", async () => {
    let push: (text: string | undefined) => void = () => undefined;
    const next = () =>
      new Promise<string | undefined>((resolve) => {
        push = resolve;
      });
    async function* body(signal: AbortSignal): AsyncGenerator<Uint8Array> {
      for (;;) {
        const text = await Promise.race([
          next(),
          new Promise<never>((_, reject) =>
            signal.addEventListener("abort", () => reject(new Error("gone"))),
          ),
        ]);
        if (text === undefined) return;
        yield* chunks(text);
      }
    }
    const { client, clock } = clientOf(
      async (_, { signal }) => ({
        status: 200,
        headers: new Headers(),
        body: body(signal),
        arrayBuffer: async () => new ArrayBuffer(0),
      }),
      { timeoutMs: 1_000 },
    );
    const { chunks: pieces } = await client.stream(read);
    const iterator = pieces[Symbol.asyncIterator]();
    for (let turn = 0; turn < 5; turn++) {
      const piece = iterator.next();
      await clock.advance(1_400);
      push("x");
      expect((await piece).done).toBe(false);
    }
    const last = errorOf(iterator.next());
    await clock.advance(1_500);
    expect(await last).toMatchObject({ code: "deadline_exceeded", outcome: "fail" });
  });

  test("a body whose source fails is told as what it failed with", async () => {
    const { client } = clientOf(async (_, { body }) => {
      for await (const _chunk of body as AsyncIterable<Uint8Array>);
      return new Response("");
    });
    async function* broken(): AsyncGenerator<Uint8Array> {
      yield* chunks("x");
      throw new WarpError("invalid_argument", "the file is gone");
    }
    const call: HttpCall = { method: "POST", path: "/v1/app/import", body: broken(), mutation: true };
    expect(await errorOf(client.stream(call))).toMatchObject({ message: "the file is gone" });
  });
});

test("OU2 op ids are fresh UUIDv7s of now", () => {
  const { client, clock } = clientOf(silent);
  expect(uuidv7Time(client.newOpId())).toBe(clock.now());
  expect(client.newOpId()).not.toBe(client.newOpId());
});
