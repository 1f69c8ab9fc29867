import { execFile } from "node:child_process";
import { chmod, mkdir, readFile, writeFile } from "node:fs/promises";
import { delimiter, join, resolve } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { commands } from "../../src/cli/commands/index.ts";
import { type Served, startServe, temporaryFolder } from "../support/serve.ts";

const root = resolve(import.meta.dirname, "../..");
const secret = "secret-of-the-cli-tests";
const logo = Uint8Array.from({ length: 256 }, (_, byte) => byte);
const users = '{"key":"user:1","json":{"name":"Ada"}}\n{"key":"user:2","json":{"name":"Grace"}}\n';

const swap = `{"compare":[{"key":"config","text":"green"}],
"success":[{"op":"set","key":"config","text":"red"},{"op":"delete","key":"user:2"}],
"failure":[{"op":"get","key":"config"}]}`;

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let served: Served;

beforeAll(async () => {
  folder = await temporaryFolder();
  served = await startServe(join(folder.path, "data"), [], { WARP_SECRET: secret });
  const bin = join(folder.path, "bin");
  await mkdir(bin);
  const shim = `#!/bin/sh\nexec "${process.execPath}" "${join(root, "src/cli/warp.ts")}" "$@"\n`;
  await writeFile(join(bin, "warp"), shim);
  await chmod(join(bin, "warp"), 0o755);
});

afterAll(async () => {
  await served?.stop();
  await folder?.[Symbol.asyncDispose]();
});

interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a line as a user types it, in `space` and with the files that examples name at hand. */
async function shell(line: string, space: string): Promise<Ended> {
  const cwd = join(folder.path, space);
  const env = {
    PATH: [join(folder.path, "bin"), process.env.PATH ?? ""].join(delimiter),
    HOME: cwd,
    WARP_URL: served.url,
    WARP_TOKEN: secret,
    WARP_SPACE: space,
  };
  return await new Promise((done) => {
    const child = execFile(
      "bash",
      ["--norc", "-o", "pipefail", "-c", line],
      { cwd, env, maxBuffer: 1 << 26 },
      (error, stdout, stderr) => done({ code: error === null ? 0 : Number(error.code ?? 1), stdout, stderr }),
    );
    child.stdin?.end();
  });
}

/** A space and a folder as the examples take them to be. */
async function prepare(space: string): Promise<void> {
  const cwd = join(folder.path, space);
  await mkdir(cwd, { recursive: true });
  await writeFile(join(cwd, "logo.png"), logo);
  await writeFile(join(cwd, "users.ndjson"), users);
  await writeFile(join(cwd, "swap.json"), swap);
  await writeFile(join(cwd, "users.ndjson.gz"), gzipSync(users));
  const json = { "Content-Type": "application/json" };
  await put(space, "keys/config", "blue");
  await put(space, "registrations/config*", '{"history":{"versions":10}}', json);
  await put(space, "keys/config", "green");
  await put(space, "keys/logo", logo, { "Content-Type": "image/png" });
  await put(space, "keys/user:1", '{"name":"Ada"}', json);
  await put(space, "keys/user:2", '{"name":"Grace"}', json);
  await put("old", "keys/a", "1");
}

async function put(
  space: string,
  path: string,
  body: string | Uint8Array<ArrayBuffer>,
  headers: Record<string, string> = {},
): Promise<void> {
  const answer = await fetch(`${served.url}/v1/${space}/${path}`, {
    method: "PUT",
    body,
    headers: { ...headers, Authorization: `Bearer ${secret}` },
  });
  expect(answer.status, await answer.text()).toBeLessThan(300);
}

describe("the examples in the help texts", () => {
  test.each(commands.map((command) => [command.name, command] as const))(
    "of warp %s do what they show",
    async (name, command) => {
      const space = `help-${name.replace(" ", "-")}`;
      await prepare(space);
      for (const { line, prints, exit = 0 } of command.examples) {
        const ended = await shell(line, space);
        expect(ended.code, `${line}\n${ended.stderr}`).toBe(exit);
        if (exit === 0) expect(ended.stderr.replace(/^there is more: .*\n/, ""), line).toBe("");
        if (prints === undefined) continue;
        const printed = ended.stdout.replace(/ version \d+$/gm, " version <n>").replace(/\n$/, "");
        expect(printed, line).toBe(prints.join("\n"));
      }
    },
  );
});

describe("the command itself", () => {
  const space = "command";
  beforeAll(() => prepare(space));

  test("binary values pass through files and pipes unchanged", async () => {
    expect((await shell("warp get logo > copy.png && warp get logo | cat > piped.png", space)).code).toBe(0);
    for (const file of ["copy.png", "piped.png"]) {
      expect([...(await readFile(join(folder.path, space, file)))]).toEqual([...logo]);
    }
  });

  test("old values are read and restored", async () => {
    const { stdout } = await shell("warp history config --json", space);
    const { versions } = JSON.parse(stdout) as {
      versions: { version: number; kind: string; atMs: number }[];
    };
    expect(versions.map(({ kind }) => kind)).toEqual(["set", "set"]);
    const [newest, oldest] = versions;
    expect((await shell(`warp get config --version ${oldest?.version}`, space)).stdout).toBe("blue");
    expect((await shell(`warp get config --at ${newest?.atMs}`, space)).stdout).toBe("green");
    expect((await shell(`warp restore config ${oldest?.version} && warp get config`, space)).stdout).toMatch(
      /blue$/,
    );
    expect((await shell("warp get config --version 999999", space)).code).not.toBe(0);
  });

  test("a reader that stops reading ends it with exit code 141 and without a word", async () => {
    const records = Array.from(
      { length: 20_000 },
      (_, n) => `{"key":"many:${n}","text":"${"x".repeat(200)}"}\n`,
    );
    await writeFile(join(folder.path, space, "many.ndjson"), records.join(""));
    expect((await shell("warp import many.ndjson", space)).stdout).toBe(
      "20000 lines read, 20000 imported, 0 failed\n",
    );
    const refused = await shell("WARP_TOKEN=wrong warp import many.ndjson", space);
    expect(refused, refused.stderr).toMatchObject({ code: 5, stdout: "" });
    const ended = await shell("warp export --prefix many: | head -c 9", space);
    expect(ended).toEqual({ code: 141, stdout: '{"key":"m', stderr: "" });
    expect((await shell("warp export --prefix many: | wc -l", space)).stdout.trim()).toBe("20000");
  });

  test("no output ever has the token", async () => {
    for (const line of ["warp space show", "warp get nothing --json", "warp --help", "warp health --json"]) {
      const { stdout, stderr } = await shell(line, space);
      expect(stdout + stderr).not.toContain(secret);
    }
  });

  test("npm run warp is the same command", async () => {
    const ended = await shell(`npm --prefix "${root}" --silent run warp -- get user:1`, space);
    expect(ended).toMatchObject({ code: 0, stdout: '{"name":"Ada"}' });
  });
});
