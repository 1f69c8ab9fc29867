import { describe, expect, test } from "vitest";
import {
  eventually,
  isAlive,
  mark,
  marked,
  startCommand,
  startScript,
  startServe,
  temporaryFolder,
  untilSaid,
} from "../support/serve.ts";

describe("npm run serve", () => {
  test("one line with its URLs when it is ready, and a word that it is open", async () => {
    await using folder = await temporaryFolder();
    const served = await startServe(folder.path, ["--isolates", "2"]);
    try {
      expect(served.urls).toHaveLength(2);
      for (const url of served.urls) {
        expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
        expect((await fetch(`${url}/healthz`)).status).toBe(200);
        expect(await (await fetch(`${url}/readyz`)).json()).toMatchObject({ open: true });
      }
      expect(served.output()).toMatch(/^warp is open: .*WARP_SECRET/m);
    } finally {
      expect(await served.stop()).toBe(0);
    }
  });

  test("SIGTERM ends it and all it started", async () => {
    await using folder = await temporaryFolder();
    const env = mark();
    const served = await startServe(folder.path, [], env);
    if (process.platform === "linux") expect(marked(env).length).toBeGreaterThan(1);
    expect(await served.stop()).toBe(0);
    expect(await eventually(() => marked(env).length === 0, 2_000)).toBe(true);
    await expect(fetch(`${served.url}/healthz`)).rejects.toThrow();
  });

  test("its own kill -9 ends the runtime too, and the folder is free again", async () => {
    await using folder = await temporaryFolder();
    const served = await startServe(folder.path);
    served.child.kill("SIGKILL");
    await served.exit;
    expect(await eventually(() => !isAlive(served.workerdPid), 5_000)).toBe(true);
    const again = await startServe(folder.path);
    expect(await again.stop()).toBe(0);
  });

  test("a runtime that is killed ends it with a word and exit code 1", async () => {
    await using folder = await temporaryFolder();
    const served = await startServe(folder.path);
    await served.kill();
    expect(await served.exit).toBe(1);
    expect(served.output()).toContain("the runtime ended by itself (SIGKILL)");
  });

  test("a second start on the same folder says who serves it", async () => {
    await using folder = await temporaryFolder();
    const served = await startServe(folder.path);
    try {
      const second = startScript("scripts/serve.ts", ["--port", "0", "--data", folder.path]);
      expect(await second.exit).toBe(1);
      expect(second.output()).toContain(`is served already by process ${served.child.pid} at ${served.url}`);
    } finally {
      await served.stop();
    }
  });

  test("a port in use is named as such", async () => {
    await using folder = await temporaryFolder();
    await using other = await temporaryFolder();
    const served = await startServe(folder.path);
    try {
      const { port } = new URL(served.url);
      const second = startScript("scripts/serve.ts", ["--port", port, "--data", other.path]);
      expect(await second.exit).toBe(1);
      expect(second.output()).toContain("the port is in use");
    } finally {
      await served.stop();
    }
  });

  test("another host without a secret is refused with exit code 2", async () => {
    await using folder = await temporaryFolder();
    const refused = startScript("scripts/serve.ts", ["--host", "0.0.0.0", "--data", folder.path]);
    expect(await refused.exit).toBe(2);
    expect(refused.output()).toContain("--host 0.0.0.0 is refused without WARP_SECRET");
  });

  test("with a secret it is closed to those without a token, on any host", async () => {
    await using folder = await temporaryFolder();
    const secret = "secret-of-the-tests";
    const served = await startServe(folder.path, ["--host", "0.0.0.0"], { WARP_SECRET: secret });
    const url = served.url.replace("0.0.0.0", "127.0.0.1");
    try {
      expect(served.output()).not.toMatch(/is open|secret-of-the-tests/);
      expect((await fetch(`${url}/v1/app/keys/a`)).status).toBe(401);
      const headers = { Authorization: `Bearer ${secret}` };
      const put = await fetch(`${url}/v1/app/keys/a`, { method: "PUT", body: "1", headers });
      expect(put.status).toBe(201);
    } finally {
      await served.stop();
    }
  });

  test("npm passes a SIGTERM on, and its own kill -9 is noticed", async () => {
    await using folder = await temporaryFolder();
    for (const signal of ["SIGTERM", "SIGKILL"] as const) {
      const env = mark();
      const npm = startCommand("npm", ["run", "serve", "--", "--port", "0", "--data", folder.path], env);
      await untilSaid(npm, /^warp is ready/m);
      npm.child.kill(signal);
      expect(await eventually(() => marked(env).length === 0), signal).toBe(true);
    }
  });

  test("data survives a restart", async () => {
    await using folder = await temporaryFolder();
    const first = await startServe(folder.path);
    const put = await fetch(`${first.url}/v1/app/keys/a%2Fb`, {
      method: "PUT",
      body: new Uint8Array([0, 255, 10]),
      headers: { "Content-Type": "image/x-test" },
    });
    const version = put.headers.get("Warp-Version");
    expect(put.status).toBe(201);
    await first.stop();
    const second = await startServe(folder.path);
    const got = await fetch(`${second.url}/v1/app/keys/a%2Fb`);
    expect([...new Uint8Array(await got.arrayBuffer())]).toEqual([0, 255, 10]);
    expect(got.headers.get("Content-Type")).toBe("image/x-test");
    expect(got.headers.get("Warp-Version")).toBe(version);
    await second.stop();
  });
});
