import { describe, expect, it } from "vitest";
import { fakeBed, problemOf } from "./bed.ts";

const open = { secrets: [], open: true };

describe("SE1 an open deployment", () => {
  it.each([
    "localhost",
    "localhost:8787",
    "LOCALHOST:1",
    "a.localhost",
    "127.0.0.1:80",
    "127.255.1.9",
    "[::1]:8787",
  ])("answers the loopback host %s", async (host) => {
    const { app } = fakeBed(open);
    expect((await app.request(`http://${host}/v1/s/keys/a`)).status).toBe(404);
  });

  it.each([
    "example.com",
    "localhost.example.com",
    "127.0.0.1.example.com",
    "notlocalhost",
    "10.0.0.1",
    "128.0.0.1",
    "[::2]",
    "0.0.0.0",
    "localhost@example.com",
  ])("refuses the host %s", async (host) => {
    const { app } = fakeBed(open);
    const url = `http://${host}/v1/s/keys/a`;
    const response = await app.fetch(rawRequest(url));
    expect(response.status).toBe(403);
    expect((await problemOf(response)).code).toBe("host_forbidden");
  });

  it("looks at the Host header too", async () => {
    const { app } = fakeBed(open);
    for (const [host, status] of [
      ["localhost:1", 404],
      ["evil.example", 403],
    ] as const) {
      const request = rawRequest("http://localhost:1/v1/s/keys/a", host);
      expect((await app.fetch(request)).status).toBe(status);
    }
  });

  it.each([
    ["http://localhost:5173", 404],
    ["https://app.localhost", 404],
    ["http://127.0.0.1:1", 404],
    ["http://listed.example", 404],
    ["http://example.com", 403],
    ["http://localhost.example.com", 403],
    ["null", 403],
    ["file://", 403],
    ["chrome-extension://localhost", 403],
  ])("answers the origin %s with %i", async (Origin, status) => {
    const { app } = fakeBed({ ...open, origins: ["http://listed.example"] });
    const response = await app.request("http://localhost/v1/s/keys/a", { headers: { Origin } });
    expect(response.status).toBe(status);
    if (status === 403) {
      expect((await problemOf(response)).code).toBe("origin_forbidden");
      expect(response.headers.get("Access-Control-Allow-Origin")).toBeNull();
    } else expect(response.headers.get("Access-Control-Allow-Origin")).toBe(Origin);
  });

  it("health is answered under any name", async () => {
    const { app } = fakeBed(open);
    expect((await app.request("http://example.com/healthz")).status).toBe(200);
  });
});

describe("SE5 CORS", () => {
  const Origin = "https://app.example";

  it("lets listed origins read the answers and their headers, errors too", async () => {
    const { call } = fakeBed({ origins: [Origin] });
    for (const path of ["/v1/s/keys/a", "/nope", "/healthz"]) {
      const response = await call("GET", path, { headers: { Origin } });
      expect(response.headers.get("Access-Control-Allow-Origin")).toBe(Origin);
      expect(response.headers.get("Access-Control-Expose-Headers")).toContain("Warp-Revision");
      expect(response.headers.get("Vary")).toBe("Origin");
      expect(response.headers.get("Access-Control-Allow-Credentials")).toBeNull();
    }
    const other = await call("GET", "/v1/s/keys/a", { headers: { Origin: "https://other.example" } });
    expect(other.headers.get("Access-Control-Allow-Origin")).toBeNull();
  });

  it("answers a preflight without a token", async () => {
    const { call } = fakeBed({ origins: [Origin] });
    const preflight = async (origin: string, path = "/v1/s/keys/a") =>
      await call("OPTIONS", path, {
        bearer: null,
        headers: { Origin: origin, "Access-Control-Request-Method": "PUT" },
      });
    const response = await preflight(Origin);
    expect(response.status).toBe(204);
    expect(response.headers.get("Access-Control-Allow-Origin")).toBe(Origin);
    expect(response.headers.get("Access-Control-Allow-Methods")).toContain("PUT");
    expect(response.headers.get("Access-Control-Allow-Headers")).toContain("Warp-Op-Id");
    const refused = await preflight("https://other.example");
    expect((await problemOf(refused)).code).toBe("origin_forbidden");
    expect((await problemOf(await preflight(Origin, "/nope"))).code).toBe("route_not_found");
    expect((await call("OPTIONS", "/v1/s/keys/a")).headers.get("Allow")).toBe(
      "GET, HEAD, PUT, POST, DELETE, OPTIONS",
    );
  });

  it('"*" lists every origin', async () => {
    const { call } = fakeBed({ origins: ["*"] });
    const response = await call("GET", "/v1/s/keys/a", { headers: { Origin } });
    expect(response.headers.get("Access-Control-Allow-Origin")).toBe(Origin);
  });
});

/** A request as a server hands it over: with a Host header and a URL that nobody has tidied. */
function rawRequest(url: string, host: string | null = null): Request {
  const headers = { get: (name: string) => (name === "Host" ? host : null) };
  return { url, method: "GET", headers } as unknown as Request;
}
