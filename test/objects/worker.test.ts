import { describe, expect, it } from "vitest";
import worker from "../../src/worker.ts";

const settings: Record<string, string>[] = [
  { WARP_SECRET: "short" },
  { WARP_OPEN: "yes" },
  { WARP_MAX_VALUE_BYTES: "0" },
  { WARP_CACHE_POLICY: "random" },
  { WARP_SUBSCRIBE: "sometimes" },
  { UPSTASH_REDIS_REST_URL: "eu1-secret-host.upstash.io", UPSTASH_REDIS_REST_TOKEN: "secret" },
  { UPSTASH_REDIS_REST_TOKEN: "a secret", UPSTASH_REDIS_REST_URL: "https://eu1.upstash.io" },
  { WARP_DEFAULT_STORAGE: "upstash" },
  { WARP_DEFAULT_FALLBACK: "upstash" },
  { WARP_REGISTRATIONS: '{"user:*": {"mode": "sometimes"}}' },
];

describe("a deployment whose configuration is wrong", () => {
  it.each(settings)(
    "SE1 SE4 says so with a code on every request, and never shows the setting: %o",
    async (setting) => {
      const env = { SHARDS: {}, ...setting } as unknown as Parameters<typeof worker.fetch>[1];
      const response = worker.fetch(new Request("http://127.0.0.1/v1/a/keys/b"), env);
      const { status, headers } = await response;
      const body = await (await response).text();
      expect(status).toBe(500);
      expect(headers.get("Content-Type")).toBe("application/problem+json");
      expect(JSON.parse(body)).toMatchObject({ code: "misconfigured", outcome: "fail", retryable: false });
      expect(body).toContain(
        setting.WARP_REGISTRATIONS === undefined ? (Object.keys(setting)[0] ?? "") : "mode",
      );
      if (setting.WARP_SECRET !== undefined) expect(body).not.toContain(setting.WARP_SECRET);
      if (setting.UPSTASH_REDIS_REST_TOKEN !== undefined) {
        expect(body).not.toContain(setting.UPSTASH_REDIS_REST_TOKEN);
        expect(body).not.toContain("secret-host");
      }
    },
  );
});
