import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { describe, expect, test } from "vitest";
import { bundle } from "../../scripts/serve/bundle.ts";
import { workerdConfig } from "../../scripts/serve/config-capnp.ts";
import { readDeployment } from "../../scripts/serve/deployment.ts";
import { DataInUse, lockData } from "../../scripts/serve/lock.ts";
import { readServeOptions, UsageError } from "../../scripts/serve/options.ts";
import { startWorkerd } from "../../scripts/serve/process.ts";
import { temporaryFolder } from "../support/serve.ts";

const root = resolve(import.meta.dirname, "../..");

describe("the flags of serve", () => {
  test("defaults", () => {
    expect(readServeOptions([], {})).toEqual({
      port: 8787,
      host: "127.0.0.1",
      data: ".warp/data",
      isolates: 1,
      open: true,
    });
  });

  test.each([
    [["--port", "65536"], /--port takes a whole number from 0 to 65535/],
    [["--port", "-1"], /--port/],
    [["--port", "8e3"], /--port/],
    [["--port", "65535", "--isolates", "2"], /no room for 2 isolates/],
    [["--isolates", "0"], /--isolates takes a whole number from 1 to 16/],
    [["--isolates", "17"], /--isolates/],
    [["--data", ""], /--data is empty/],
    [["--host", "192.168.0.1"], /refused without WARP_SECRET/],
    [["--host", "::"], /refused without WARP_SECRET/],
    [["--host", "127.0.0.1.example.org"], /refused without WARP_SECRET/],
    [["--nonsense"], /nonsense/],
    [["stray"], /stray/],
  ])("%j is refused", (argv, message) => {
    expect(() => readServeOptions(argv, {})).toThrow(UsageError);
    expect(() => readServeOptions(argv, {})).toThrow(message);
  });

  test("a secret opens other hosts and closes the deployment; a short one is refused", () => {
    const options = readServeOptions(["--host", "0.0.0.0"], { WARP_SECRET: "x".repeat(16) });
    expect(options).toMatchObject({ host: "0.0.0.0", open: false });
    expect(() => readServeOptions([], { WARP_SECRET: "x".repeat(15) })).toThrow(/at least 16 bytes/);
  });

  test.each([
    [{ WARP_SECRET: "spaces in a secret of ours" }, /WARP_SECRET must be printable ASCII/],
    [{ WARP_SECRET_PREVIOUS: "x".repeat(16) }, /WARP_SECRET_PREVIOUS is set without WARP_SECRET/],
    [{ WARP_CORS_ORIGINS: "example.org" }, /WARP_CORS_ORIGINS/],
    [{ WARP_MAX_VALUE_BYTES: "1 MB" }, /WARP_MAX_VALUE_BYTES/],
    [{ WARP_REGISTRATIONS: "{" }, /WARP_REGISTRATIONS/],
    [{ UPSTASH_REDIS_REST_URL: "https://eu1.upstash.io" }, /UPSTASH_REDIS_REST_TOKEN/],
    [{ UPSTASH_REDIS_REST_TOKEN: "token" }, /UPSTASH_REDIS_REST_URL/],
    [{ WARP_DEFAULT_STORAGE: "upstash" }, /WARP_DEFAULT_STORAGE is of no use/],
  ])("the environment %j is refused before anything starts", (environment, message) => {
    expect(() => readServeOptions([], environment)).toThrow(UsageError);
    expect(() => readServeOptions([], environment)).toThrow(message);
  });

  test("loopback in all its forms stays open", () => {
    for (const host of ["localhost", "127.0.0.1", "127.8.8.8", "::1"]) {
      expect(readServeOptions(["--host", host], {})).toMatchObject({ open: true });
    }
  });
});

describe("the configuration of workerd", () => {
  test("wrangler.toml is where classes and bindings come from", async () => {
    const deployment = readDeployment(await readFile(join(root, "wrangler.toml"), "utf8"));
    expect(deployment.compatibilityDate).toMatch(/^\d{4}-\d\d-\d\d$/);
    expect(deployment.objects).toContainEqual({ binding: "SHARDS", className: "WarpShard" });
    expect(deployment.kv).toContain("CACHE");
    expect(() => readDeployment("name = 'x'")).toThrow(/lacks compatibility_date/);
  });

  test("text in it can't break out of its literal, and secrets stay out of it", () => {
    const config = workerdConfig({
      deployment: {
        compatibilityDate: "2026-10-23",
        compatibilityFlags: ["a"],
        objects: [],
        kv: [],
        assets: undefined,
      },
      worker: "worker.js",
      kvService: "kv.js",
      isolates: 2,
      variables: { NAME: 'a"b\\c\né' },
      fromEnvironment: ["WARP_SECRET"],
    });
    expect(config).toContain('text = "a\\x22b\\x5cc\\x0a\\xc3\\xa9"');
    expect(config).toContain('(name = "WARP_SECRET", fromEnvironment = "WARP_SECRET")');
    expect(config).toContain('service = "front-1"');
  });
});

describe("the lock of a data folder", () => {
  test("is held once, and free after its release", async () => {
    await using folder = await temporaryFolder();
    const lock = await lockData(folder.path);
    lock.describe({ urls: ["http://127.0.0.1:1"] });
    await expect(lockData(folder.path)).rejects.toThrow(DataInUse);
    await expect(lockData(folder.path)).rejects.toThrow(`process ${process.pid} at http://127.0.0.1:1`);
    lock.release();
    (await lockData(folder.path)).release();
  });

  test("what a killed process left in the folder is no lock", async () => {
    await using folder = await temporaryFolder();
    await writeFile(join(folder.path, "serve.json"), '{"pid": 1, "workerdPid": 4194305');
    await writeFile(join(folder.path, "serve.lock"), "");
    (await lockData(folder.path)).release();
  });
});

test("the KV stand-in keeps values, metadata, order and Cloudflare's minimum of 60 s", async () => {
  await using folder = await temporaryFolder();
  const { kvService } = await bundle(root);
  await mkdir(join(folder.path, "objects"));
  await writeFile(join(folder.path, "kv.js"), await readFile(kvService));
  await writeFile(join(folder.path, "probe.js"), probe);
  const config = workerdConfig({
    deployment: {
      compatibilityDate: "2026-10-23",
      compatibilityFlags: [],
      objects: [],
      kv: ["CACHE"],
      assets: undefined,
    },
    worker: "probe.js",
    kvService: "kv.js",
    isolates: 1,
    variables: {},
    fromEnvironment: [],
  });
  await writeFile(
    join(folder.path, "config.capnp"),
    config.replace(/durableObjectNamespaces = \[\s*\],/, ""),
  );
  const workerd = await startWorkerd({
    config: join(folder.path, "config.capnp"),
    directories: { data: join(folder.path, "objects") },
    addresses: ["127.0.0.1:0"],
    env: process.env,
  });
  try {
    const answer = await fetch(`http://127.0.0.1:${workerd.ports[0]}/`);
    const results = (await answer.json()) as Record<string, unknown>;
    expect(results).toEqual({
      value: "é",
      bytes: [0, 255],
      metadata: { x: 1 },
      absent: null,
      many: [
        ["a/b", "é"],
        ["none", null],
      ],
      firstPage: ["a/b", "bin"],
      secondPage: ["c"],
      prefix: ["a/b"],
      deleted: null,
      tooShort: expect.stringContaining("400"),
      tooSoon: expect.stringContaining("400"),
      longKey: expect.stringContaining("414"),
    });
  } finally {
    await workerd.stop();
  }
});

const probe = `export default { async fetch(request, { CACHE: kv }) {
  const failure = (work) => work.then(() => "no error", (error) => String(error));
  await kv.put("a/b", "é", { expirationTtl: 60, metadata: { x: 1 } });
  await kv.put("bin", new Uint8Array([0, 255]).buffer);
  await kv.put("c", "1"); await kv.put("d", "1"); await kv.delete("d");
  const names = (list) => list.keys.map((key) => key.name);
  const first = await kv.list({ limit: 2 });
  return Response.json({
    value: await kv.get("a/b"),
    bytes: [...new Uint8Array(await kv.get("bin", "arrayBuffer"))],
    metadata: (await kv.getWithMetadata("a/b")).metadata,
    absent: await kv.get("none"),
    many: [...await kv.get(["a/b", "none"])],
    firstPage: names(first),
    secondPage: names(await kv.list({ cursor: first.cursor })),
    prefix: names(await kv.list({ prefix: "a" })),
    deleted: await kv.get("d"),
    tooShort: await failure(kv.put("s", "1", { expirationTtl: 59 })),
    tooSoon: await failure(kv.put("s", "1", { expiration: Math.floor(Date.now() / 1000) + 30 })),
    longKey: await failure(kv.put("k".repeat(513), "1")),
  });
} };
`;
