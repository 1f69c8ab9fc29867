import { existsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import { type Browser, type BrowserContext, chromium, type Page } from "playwright-core";
import { expect } from "vitest";
import { type Board, serveBoard } from "../../../examples/live-board/server.ts";
import { type Served, startServe, temporaryFolder } from "../../support/serve.ts";
import { Wire } from "./wire.ts";

const executablePath = ["/usr/bin/chromium", "/usr/bin/chromium-browser"].find(existsSync);
if (executablePath === undefined) {
  if (process.env.CI === "true") throw new Error("chromium is missing (Debian: chromium)");
  console.log("skipped: chromium is not installed (Debian: chromium)");
}
export const hasChromium = executablePath !== undefined;

const root = resolve(import.meta.dirname, "../../..");
const shots = join(root, "test-output", "live-board");
const flags = [
  ...["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"],
  ...["--disable-component-update", "--disable-sync", "--no-first-run", "--disable-dev-shm-usage"],
];

/** The browser of the machine, without a window. */
export async function launch(): Promise<Browser> {
  return await chromium.launch({ executablePath: executablePath ?? "", args: flags });
}

/** The same with a profile on disk: without one a browser keeps things in memory, and has other bounds. */
export async function launchAt(folder: string): Promise<BrowserContext> {
  return await chromium.launchPersistentContext(folder, {
    executablePath: executablePath ?? "",
    args: flags,
  });
}

/** What the page has told, as `examples/live-board/page/activity.ts` keeps it. */
export interface Told {
  readonly kind: string;
  readonly key: string;
  readonly version: number;
  readonly revision: number;
  readonly text?: string;
}

/** A deployment, a board about it, a wire between the two that can be cut, and a browser. */
export class Bed implements AsyncDisposable {
  served: Served;
  readonly board: Board;
  readonly wire: Wire;
  readonly browser: Browser;
  readonly #folder: Awaited<ReturnType<typeof temporaryFolder>>;
  readonly #secret: string | undefined;

  private constructor(
    parts: Pick<Bed, "served" | "board" | "wire" | "browser">,
    folder: Awaited<ReturnType<typeof temporaryFolder>>,
    secret?: string,
  ) {
    this.served = parts.served;
    this.board = parts.board;
    this.wire = parts.wire;
    this.browser = parts.browser;
    this.#folder = folder;
    this.#secret = secret;
  }

  static async open(options: { readonly secret?: string; readonly tokenTtlMs?: number } = {}): Promise<Bed> {
    const { secret, tokenTtlMs } = options;
    let warp = "";
    const board = await serveBoard({
      warp: () => warp,
      space: "board",
      prefix: "card:",
      port: 0,
      ...(secret !== undefined && { secret }),
      ...(tokenTtlMs !== undefined && { tokenTtlMs }),
    });
    const folder = await temporaryFolder();
    const env = secret === undefined ? {} : { WARP_SECRET: secret, WARP_CORS_ORIGINS: board.url };
    const served = await startServe(folder.path, [], env);
    const wire = await Wire.to(served.url);
    warp = wire.url;
    const browser = await launch();
    const bed = new Bed({ served, board, wire, browser }, folder, secret);
    await bed.put("card:first", "Write the release notes");
    return bed;
  }

  /** Opens the board and waits until it is live. */
  async page(context?: BrowserContext): Promise<{ readonly page: Page; readonly complaints: string[] }> {
    const own =
      context ??
      (await this.browser.newContext({ viewport: { width: 1_100, height: 720 }, deviceScaleFactor: 1 }));
    const page = await own.newPage();
    const complaints: string[] = [];
    page.on("pageerror", (error) => complaints.push(String(error)));
    await page.goto(this.board.url);
    await isLive(page);
    return { page, complaints };
  }

  /** Stores a card past the wire, as curl would. */
  async put(key: string, text: string, column = "todo"): Promise<number> {
    const response = await fetch(`${this.served.url}/v1/board/keys/${key}`, {
      method: "PUT",
      headers: { "Content-Type": "application/json", ...this.#authorization() },
      body: JSON.stringify({ text, column, by: "curl" }),
    });
    expect(response.status, await response.clone().text()).toBeLessThan(300);
    return Number(response.headers.get("Warp-Version"));
  }

  async stored(key: string): Promise<unknown> {
    const response = await fetch(`${this.served.url}/v1/board/keys/${key}`, {
      headers: this.#authorization(),
    });
    return response.status === 404 ? undefined : await response.json();
  }

  /** Kills the runtime with -9, and starts it again on the same folder. */
  async restart(): Promise<void> {
    await this.served.kill();
    this.wire.cut();
    this.served = await startServe(this.#folder.path);
    this.wire.heal(this.served.url);
  }

  #authorization(): Record<string, string> {
    return this.#secret === undefined ? {} : { Authorization: `Bearer ${this.#secret}` };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.browser.close();
    await this.wire.close();
    await this.board.close();
    await this.served.stop();
    await this.#folder[Symbol.asyncDispose]();
  }
}

export async function isLive(page: Page, timeout = 15_000): Promise<void> {
  await page.locator("#status[data-status=live]").waitFor({ timeout });
}

export function card(page: Page, key: string) {
  return page.locator(`.card[data-key="${key}"]`);
}

/** What the page's watch has told about keys with this prefix. */
export async function toldOf(page: Page, prefix: string): Promise<Told[]> {
  const told = (await page.evaluate("board.activity.told")) as Told[];
  return told.filter(({ key }) => key.startsWith(prefix));
}

/** Keeps a picture among the test's output; `inPages`: with WARP_KEEP_IMAGES=1 under this name for the pages, too. */
export async function picture(page: Page, name: string, inPages?: string): Promise<void> {
  await mkdir(shots, { recursive: true });
  const path = join(shots, `${name}.png`);
  await page.screenshot({ path });
  if (inPages !== undefined && process.env.WARP_KEEP_IMAGES === "1")
    await page.screenshot({ path: join(root, "docs", "images", `${inPages}.png`) });
  console.log(`picture: ${path.slice(root.length + 1)}`);
}
