import { createServer, type Server } from "node:http";
import { createRequire } from "node:module";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import type { BrowserContext, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { KeptChange, KeptVerdict, Persistence } from "../../../src/store/persistence.ts";
import { temporaryFolder } from "../../support/serve.ts";
import { hasChromium, launchAt } from "./bed.ts";

/** What `page/persistence.ts` puts into the page. */
declare const contract: () => Promise<{ readonly run: number; readonly failed: readonly string[] }>;
declare const whole: (to: readonly number[], put: readonly object[]) => KeptChange;
declare const open: (name: string) => Persistence;

const here = join(import.meta.dirname, "page");

async function bundle(): Promise<string> {
  const wrangler = createRequire(import.meta.url).resolve("wrangler/package.json");
  const esbuild = createRequire(wrangler)("esbuild") as {
    build(options: object): Promise<{ readonly outputFiles: readonly { readonly text: string }[] }>;
  };
  const { outputFiles } = await esbuild.build({
    entryPoints: [join(here, "persistence.ts")],
    alias: { vitest: join(here, "suite.ts") },
    ...{ bundle: true, format: "esm", target: "es2024", write: false },
  });
  return outputFiles[0]?.text ?? "";
}

describe.skipIf(!hasChromium)("IndexedDB of a browser", () => {
  let server: Server;
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let context: BrowserContext;
  let url: string;

  beforeAll(async () => {
    const script = await bundle();
    server = createServer((request, response) => {
      const isScript = request.url === "/page.js";
      response.setHeader("Content-Type", isScript ? "text/javascript" : "text/html");
      response.end(isScript ? script : '<!doctype html><script type="module" src="/page.js"></script>');
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    folder = await temporaryFolder();
    context = await launchAt(folder.path);
  });
  afterAll(async () => {
    await context?.close();
    server?.close();
    await folder?.[Symbol.asyncDispose]();
  });

  async function tab(at = url): Promise<Page> {
    const page = await context.newPage();
    await page.goto(at);
    await page.waitForFunction("'contract' in globalThis");
    return page;
  }

  test("holds the contract of keeping", async () => {
    const page = await tab();
    const { run, failed } = await page.evaluate(() => contract());
    expect(failed).toEqual([]);
    expect(run).toBeGreaterThan(9);
    await page.close();
  });

  test("two tabs: what one saves the other finds; what is purged in one the other does not write again", async () => {
    const [one, two] = [await tab(), await tab()];
    const save = (revision: number): Promise<KeptVerdict> =>
      open("cards").save(whole([revision], [{ key: "card:a", at: revision, version: revision, value: "x" }]));
    expect(await one.evaluate(save, 3)).toBe("kept");
    expect(await two.evaluate(save, 2)).toBe("kept");
    const kept = () => open("cards").load();
    expect(await two.evaluate(kept)).toMatchObject({ entries: [{ key: "card:a", at: 3 }] });
    await one.evaluate(() => open("cards").purge());
    expect(await two.evaluate(save, 4)).toBe("foreign");
    expect(await one.evaluate(kept)).toMatchObject({ entries: [] });
    await one.close();
    await two.close();
  });

  test("a newer form of the database, opened in another tab, is let in; the older tab is told and goes on in memory", async () => {
    const [one, two] = [await tab(), await tab()];
    await one.evaluate(() => Object.assign(globalThis, { kept: open("forms") }));
    const save = () =>
      (globalThis as unknown as { kept: Persistence }).kept.save(whole([1], [])).catch((error) => error.name);
    expect(await one.evaluate(save)).toBe("kept");
    const names = await two.evaluate(
      () =>
        new Promise((resolve, reject) => {
          const { indexedDB } = globalThis as unknown as { indexedDB: never };
          const request = (
            indexedDB as { open(name: string, version: number): Record<string, unknown> }
          ).open("warp-store:forms", 2);
          request.onsuccess = () =>
            resolve([...(request.result as { objectStoreNames: Iterable<string> }).objectStoreNames]);
          request.onblocked = () => reject(new Error("the older tab did not let go"));
        }),
    );
    expect(names).toEqual(["entries", "state"]);
    expect(await one.evaluate(save)).toBe("VersionError");
    await one.close();
    await two.close();
  });

  test("no room: the change is refused as a whole, and what was kept stays", async () => {
    // An origin of its own: a browser looks at its bounds before it is first used.
    const origin = url.replace("127.0.0.1", "localhost");
    const page = await tab(origin);
    const session = await context.newCDPSession(page);
    await session.send("Storage.overrideQuotaForOrigin", { origin, quotaSize: 100_000 });
    const save = ([revision, length]: [number, number]) => {
      const value = Array.from({ length }, () => Math.random()).join();
      return open("full")
        .save(whole([revision], [{ key: "card:a", at: revision, version: revision, value }]))
        .catch((error: Error) => error.name);
    };
    expect(await page.evaluate(save, [1, 1] as [number, number])).toBe("kept");
    expect(await page.evaluate(save, [2, 500_000] as [number, number])).toBe("QuotaExceededError");
    const found = await page.evaluate(() => open("full").load());
    expect(found).toMatchObject({ entries: [{ at: 1 }] });
    await page.close();
  });
});
