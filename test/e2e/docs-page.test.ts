import { existsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import { type Browser, chromium } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Served, startServe, temporaryFolder } from "../support/serve.ts";

const root = resolve(import.meta.dirname, "../..");
const executablePath = ["/usr/bin/chromium", "/usr/bin/chromium-browser"].find(existsSync);
if (executablePath === undefined) {
  if (process.env.CI === "true") throw new Error("chromium is missing (Debian: chromium)");
  console.log("skipped: chromium is not installed (Debian: chromium)");
}

const flags = [
  ...["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"],
  ...["--disable-component-update", "--disable-sync", "--no-first-run", "--disable-dev-shm-usage"],
];

describe.skipIf(executablePath === undefined)("the reference page in a browser", () => {
  let served: Served;
  let browser: Browser;
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;

  beforeAll(async () => {
    folder = await temporaryFolder();
    served = await startServe(folder.path);
    browser = await chromium.launch({ executablePath: executablePath ?? "", args: flags });
  });
  afterAll(async () => {
    await browser?.close();
    await served?.stop();
    await folder?.[Symbol.asyncDispose]();
  });

  /** Opens the page and gives all that it asked for and complained of. */
  async function open(options: { readonly width: number; readonly height: number; readonly dark?: boolean }) {
    const { width, height, dark = false } = options;
    const context = await browser.newContext({
      viewport: { width, height },
      colorScheme: dark ? "dark" : "light",
      deviceScaleFactor: 1,
    });
    const page = await context.newPage();
    const requests: string[] = [];
    const complaints: string[] = [];
    page.on("request", (request) => requests.push(request.url()));
    page.on("console", (message) => complaints.push(message.text()));
    page.on("pageerror", (error) => complaints.push(String(error)));
    await page.goto(`${served.url}/docs`, { waitUntil: "networkidle" });
    return { context, page, requests, complaints };
  }

  test.each([
    { name: "desktop", width: 1_280, height: 900 },
    { name: "phone", width: 390, height: 844 },
    { name: "phone, dark", width: 390, height: 844, dark: true },
  ])("asks nobody else for anything, complains of nothing, fits: $name", async ({ name, ...screen }) => {
    const { context, page, requests, complaints } = await open(screen);
    expect(requests.filter((url) => !url.startsWith("data:"))).toEqual([`${served.url}/docs`]);
    expect(complaints).toEqual([]);
    const overflow = await page.evaluate("document.documentElement.scrollWidth - innerWidth");
    expect(overflow, "the page is wider than the screen").toBeLessThanOrEqual(0);
    expect(await page.locator("section").count()).toBeGreaterThan(20);
    if (screen.dark) {
      const colour = await page.evaluate("getComputedStyle(document.body).backgroundColor");
      expect(colour).toBe("rgb(18, 22, 27)");
    }
    const images = join(root, "docs", "images");
    await mkdir(images, { recursive: true });
    if (name === "desktop") {
      // The same screen each time: what the picture is kept for.
      await page.evaluate("document.querySelector('#put-v1-space-keys-key').scrollIntoView()");
      if (process.env.WARP_KEEP_IMAGES === "1")
        await page.screenshot({ path: join(images, "reference.png") });
    }
    await context.close();
  });

  test("the copied line is the one that is shown, and works in a shell as it is", async () => {
    const { context, page, complaints } = await open({ width: 1_280, height: 900 });
    await context.grantPermissions(["clipboard-read", "clipboard-write"]);
    const figure = page
      .locator("section", { has: page.locator("#put-v1-space-keys-key") })
      .locator("figure")
      .first();
    await figure.locator("button.copy").click();
    await expect.poll(() => figure.locator("button.copy").innerText(), { interval: 20 }).toBe("Copied");
    const copied = (await page.evaluate("navigator.clipboard.readText()")) as string;
    expect(copied.trim()).toBe((await figure.locator("pre").innerText()).trim());
    const { execFileSync } = await import("node:child_process");
    const answer = execFileSync("bash", ["-c", `${copied} -sS`], { encoding: "utf8" });
    expect(JSON.parse(answer)).toMatchObject({ key: "user:2", created: true });
    expect(complaints).toEqual([]);
    await context.close();
  });

  test("a problem's type leads to the row of its code", async () => {
    const { context, page } = await open({ width: 1_280, height: 900 });
    const { type } = (await (await fetch(`${served.url}/v1/none/keys/none`)).json()) as { type: string };
    await page.goto(`${served.url}${type}`);
    expect(page.url()).toBe(`${served.url}/docs#${type.split("#")[1]}`);
    expect(await page.locator(":target").innerText()).toBe("space_not_found");
    await context.close();
  });
});
