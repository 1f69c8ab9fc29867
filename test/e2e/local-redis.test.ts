import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { LocalRedis } from "../../scripts/redis-bridge/local-redis.ts";
import { missingRedis } from "../../scripts/redis-bridge/redis-server.ts";

describe.skipIf(missingRedis() !== undefined)("npm run redis", () => {
  it("is at the same URL with what it was given, where folder, port and token are the same", async () => {
    const folder = mkdtempSync(join(tmpdir(), "warp-local-redis-"));
    const token = "a token of sixteen or more".replaceAll(" ", "-");
    try {
      const first = await LocalRedis.start({ folder, token });
      await first.text("SET", "a", "1");
      expect(statSync(first.socket).isSocket()).toBe(true);
      await first.end();
      // This process's own connections to it are to be seen to have ended.
      await new Promise((resolve) => setTimeout(resolve, 100));
      const second = await LocalRedis.start({ folder, token, port: Number(new URL(first.url).port) });
      expect(second.variables).toEqual(first.variables);
      expect(await second.text("GET", "a")).toBe("1");
      await second.end();
      const other = await LocalRedis.start();
      expect(other.control.split("/").at(-1)).not.toBe(first.control.split("/").at(-1));
      await other.end();
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it("takes orders under a name that who does not have its token can't guess", async () => {
    const [one, other] = [await LocalRedis.start({ token: "t".repeat(16) }), await LocalRedis.start()];
    for (const redis of [one, other]) expect(redis.control).toMatch(/\/control\/[0-9a-f-]{32,36}$/);
    expect(one.control).not.toContain("tttt");
    await one.end();
    await other.end();
  });
});
