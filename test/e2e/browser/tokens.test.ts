import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Bed, card, hasChromium, picture } from "./bed.ts";

const sleep = (ms: number) => new Promise((done) => setTimeout(done, ms));
const secret = "a-secret-that-is-long-enough";

describe.skipIf(!hasChromium)("the live board with narrow tokens", () => {
  let bed: Bed;
  beforeAll(async () => {
    bed = await Bed.open({ secret, tokenTtlMs: 4_000 });
  });
  afterAll(() => bed?.[Symbol.asyncDispose]());

  test("WA9 a token that ends is renewed without a new socket", async () => {
    const { page, complaints } = await bed.page();
    const { opened } = bed.wire;
    const { tokens } = bed.board;
    await sleep(10_000);
    expect(
      bed.board.tokens - tokens,
      "tokens asked for in 10 s of tokens that last 4 s",
    ).toBeGreaterThanOrEqual(2);
    expect(bed.wire.opened, "sockets opened since").toBe(opened);
    await bed.put("card:later", "told by the first socket");
    await card(page, "card:later").waitFor({ timeout: 1_000 });
    await picture(page, "renewed");
    expect(complaints).toEqual([]);
    await page.context().close();
  });

  test("WA9 a page with a narrow token sees only its prefix", async () => {
    const context = await bed.browser.newContext();
    const page = await context.newPage();
    const frames: string[] = [];
    page.on("websocket", (socket) =>
      socket.on("framereceived", ({ payload }) => frames.push(String(payload))),
    );
    await page.goto(bed.board.url);
    await card(page, "card:first").waitFor();
    await bed.put("secret:1", "not for the board");
    await bed.put("card:seen", "for the board");
    await card(page, "card:seen").waitFor();
    expect(frames.join("\n")).toContain("card:seen");
    expect(frames.join("\n")).not.toContain("secret:1");
    const refused = (call: string) =>
      page.evaluate(
        `(async () => { try { await (${call}); return "done" } catch (error) { return error.code } })()`,
      );
    expect(await refused(`board.client.get("secret:1")`)).toBe("forbidden");
    expect(await refused(`board.client.set("secret:1", 1)`)).toBe("forbidden");
    expect(await refused(`board.client.watch({ prefix: "" }).ready`)).toBe("forbidden");
    expect(
      await page.evaluate(`[...board.store.snapshot().keys()].filter((key) => !key.startsWith("card:"))`),
    ).toEqual([]);
    await context.close();
  });
});
