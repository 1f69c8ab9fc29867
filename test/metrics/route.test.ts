import { describe, expect, it } from "vitest";
import { WarpError } from "../../src/errors.ts";
import { createApp } from "../../src/http/app.ts";
import type { AnsweredRequest } from "../../src/metrics/isolate-metrics.ts";
import { fakeBed, problemOf, secret, textOf } from "../http/bed.ts";

function bed() {
  const { deployment } = fakeBed();
  const seen: AnsweredRequest[] = [];
  let broken = false;
  const app = createApp({
    ...deployment,
    metrics: {
      observe: (request) => void seen.push(request),
      scrape: async (format) => {
        if (broken) throw new WarpError("unavailable", "the meter can't be reached");
        return `${format}\n`;
      },
    },
  });
  const call = async (method: string, path: string, headers: Record<string, string> = {}) =>
    await app.request(`http://localhost${path}`, {
      method,
      headers: { Authorization: `Bearer ${secret}`, ...headers },
    });
  const token = async (grant: object) => {
    const made = await app.request("http://localhost/tokens", {
      method: "POST",
      headers: { Authorization: `Bearer ${secret}`, "Content-Type": "application/json" },
      body: JSON.stringify({ subject: "p", spaces: ["*"], ...grant }),
    });
    return ((await made.json()) as { token: string }).token;
  };
  return { call, seen, token, break: () => (broken = true) };
}

describe("GET /metrics", () => {
  it.each([
    [undefined, "text"],
    ["*/*", "text"],
    ["text/plain", "text"],
    ["application/openmetrics-text; version=1.0.0", "openmetrics"],
    ["application/openmetrics-text", "openmetrics"],
    ["application/openmetrics-text; version=0.0.1", "text"],
    ["application/openmetrics-text;version=1.0.0;q=0", "text"],
    ["application/openmetrics-text;version=1.0.0;q=0.2,text/plain;q=0.5", "text"],
    ["application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1", "openmetrics"],
  ])("MT1 Accept %s gets %s", async (accept, format) => {
    const answer = await bed().call("GET", "/metrics", accept === undefined ? {} : { Accept: accept });
    expect(answer.status).toBe(200);
    expect(answer.headers.get("Content-Type")).toBe(
      format === "text"
        ? "text/plain; version=0.0.4; charset=utf-8"
        : "application/openmetrics-text; version=1.0.0; charset=utf-8",
    );
    expect(await textOf(answer)).toBe(`${format}\n`);
  });

  it("MT2 tells what each is about, from the files of the reference", async () => {
    const { deployment } = fakeBed();
    const text = "# TYPE warp_get_total counter\nwarp_get_total 1\n";
    const open = "# TYPE warp_get counter\nwarp_get_total 1\n";
    const of = async (changes: Partial<typeof deployment>, format = "text/plain") => {
      const metrics = { observe: () => {}, scrape: async (f: string) => (f === "text" ? text : open) };
      const headers = { Authorization: `Bearer ${secret}`, Accept: format };
      const app = createApp({ ...deployment, metrics, ...changes });
      return await textOf(await app.request("http://localhost/metrics", { headers }));
    };
    const reference = async (file: string) => {
      expect(file).toBe("metrics.json");
      return JSON.stringify({ warp_get_total: "Reads of keys" });
    };
    expect(await of({ reference })).toBe(`# HELP warp_get_total Reads of keys.\n${text}`);
    expect(await of({ reference }, "application/openmetrics-text")).toBe(
      `# HELP warp_get Reads of keys.\n${open}`,
    );
    const failing = () => Promise.reject(new WarpError("unsupported", "none"));
    expect(await of({ reference: failing })).toBe(text);
  });

  it("SE2 is for tokens with the verb metrics or admin that cover all spaces and all keys", async () => {
    const { call, token } = bed();
    const may = async (grant: object) =>
      (await call("GET", "/metrics", { Authorization: `Bearer ${await token(grant)}` })).status;
    expect(await may({ verbs: ["metrics"] })).toBe(200);
    expect(await may({ verbs: ["admin"] })).toBe(200);
    expect(await may({ verbs: ["read", "write"] })).toBe(403);
    expect(await may({ verbs: ["admin"], spaces: ["mine"] })).toBe(403);
    expect(await may({ verbs: ["metrics"], prefixes: ["a/"] })).toBe(403);
    expect((await call("GET", "/metrics", { Authorization: "" })).status).toBe(401);
  });

  it("without its meter is unavailable; in a deployment that keeps no metrics unsupported", async () => {
    const one = bed();
    one.break();
    expect((await problemOf(await one.call("GET", "/metrics"))).code).toBe("unavailable");
    const { metrics: _, ...without } = fakeBed().deployment;
    const headers = { Authorization: `Bearer ${secret}` };
    const answer = await createApp(without).request("http://localhost/metrics", { headers });
    expect((await problemOf(answer)).code).toBe("unsupported");
  });
});

describe("requests", () => {
  it("are counted by their route, refusals and unknown paths too", async () => {
    const { call, seen } = bed();
    await call("GET", "/v1/shop/keys/none");
    await call("HEAD", "/v1/shop/keys/none");
    await call("GET", "/v1/shop/keys/none", { Authorization: "" });
    await call("PATCH", "/v1/shop/keys/none");
    await call("GET", "/nowhere");
    await call("GET", "/healthz");
    expect(seen.map(({ route, method, status }) => `${method} ${route} ${status}`)).toEqual([
      "GET /v1/{space}/keys/{key+} 404",
      "HEAD /v1/{space}/keys/{key+} 404",
      "GET /v1/{space}/keys/{key+} 401",
      "PATCH  405",
      "GET  404",
      "GET /healthz 200",
    ]);
    expect(seen.every(({ durationMs }) => durationMs === 0)).toBe(true);
  });
});
