import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Bed, card, hasChromium, isLive, picture, toldOf } from "./bed.ts";

const sleep = (ms: number) => new Promise((done) => setTimeout(done, ms));

describe.skipIf(!hasChromium)("the live board in a browser", () => {
  let bed: Bed;
  beforeAll(async () => {
    bed = await Bed.open();
  });
  afterAll(() => bed?.[Symbol.asyncDispose]());

  test("a write made elsewhere shows within a second", async () => {
    const { page, complaints } = await bed.page();
    const begun = performance.now();
    await bed.put("card:soon", "made by curl");
    await card(page, "card:soon").waitFor({ timeout: 1_000 });
    console.log(`a write shows after ${Math.round(performance.now() - begun)} ms, its call included`);
    expect(await card(page, "card:soon").locator("textarea").inputValue()).toBe("made by curl");
    await bed.put("card:doing", "in the making", "doing");
    await bed.put("card:done", "made", "done");
    await card(page, "card:done").waitFor();
    await picture(page, "live");
    expect(complaints).toEqual([]);
    await page.context().close();
  });

  test("WA2 WA12 offline for 10 s during 1,000 writes, then online: no event is lost, none is told twice, their order is kept", async () => {
    const { page, complaints } = await bed.page();
    await bed.put("card:w:0", "before");
    await expect.poll(async () => (await toldOf(page, "card:w:")).length).toBe(1);
    await page.context().setOffline(true);
    bed.wire.cut();
    await page.locator("#status[data-status=offline]").waitFor();
    const begun = performance.now();
    const versions: number[] = [];
    for (let i = 1; i <= 1_000; i++) {
      versions.push(await bed.put(`card:w:${i % 25}`, `write ${i}`));
      // Spread over the whole time that the page is away.
      await sleep(Math.max(0, i * 10 - (performance.now() - begun)));
    }
    expect(performance.now() - begun).toBeGreaterThanOrEqual(9_900);
    expect(await toldOf(page, "card:w:")).toHaveLength(1);
    await picture(page, "offline");
    bed.wire.heal();
    await page.context().setOffline(false);
    const back = performance.now();
    await expect
      .poll(async () => (await toldOf(page, "card:w:")).length, { timeout: 15_000 })
      .toBeGreaterThan(1_000);
    console.log(
      `1,000 missed events are told ${Math.round(performance.now() - back)} ms after the network is back`,
    );
    await isLive(page);
    await sleep(300);
    const told = (await toldOf(page, "card:w:")).slice(1);
    expect(told.map(({ version }) => version)).toEqual(versions);
    expect(told.map(({ text }) => text)).toEqual(versions.map((_, at) => `write ${at + 1}`));
    expect(await page.evaluate("board.activity.gaps")).toBe(0);
    // The store holds the last of each.
    expect(await card(page, "card:w:0").locator("textarea").inputValue()).toBe("write 1000");
    await picture(page, "back-online");
    expect(complaints).toEqual([]);
    await page.context().close();
  });

  test.each([
    ["is closed", (page: Page) => page.close()],
    // The browser lets go of what the tab held; no word comes from it.
    [
      "crashes",
      (page: Page) =>
        page.goto("chrome://crash").then(
          () => undefined,
          () => undefined,
        ),
    ],
  ])(
    "WA12 two tabs hold one socket; when the one that has it %s, the other takes over without loss",
    async (_, end) => {
      const { page: first, complaints } = await bed.page();
      const before = bed.wire.standing;
      const { page: second, complaints: others } = await bed.page(first.context());
      expect(bed.wire.standing, "the second tab opened a socket").toBe(before);
      const both = `card:both:${Date.now().toString(36)}`;
      await bed.put(both, "for both tabs");
      await Promise.all([card(first, both).waitFor(), card(second, both).waitFor()]);
      const handed = `card:handed:${Date.now().toString(36)}`;
      const numbers: number[] = [];
      let closedAt = 0;
      let handedAfterMs = 0;
      let closed: Promise<void> | undefined;
      for (let i = 1; i <= 200; i++) {
        if (i === 60) {
          closedAt = performance.now();
          closed = end(first);
        }
        numbers.push(await bed.put(handed, `write ${i}`));
        if (closedAt > 0 && handedAfterMs === 0) {
          const { length } = await toldOf(second, handed);
          if (length >= 61) handedAfterMs = performance.now() - closedAt;
        }
      }
      await expect
        .poll(async () => (await toldOf(second, handed)).length, { timeout: 15_000 })
        .toBeGreaterThanOrEqual(200);
      if (handedAfterMs === 0) handedAfterMs = performance.now() - closedAt;
      console.log(`the other tab is told on ${Math.round(handedAfterMs)} ms after the first is gone`);
      expect((await toldOf(second, handed)).map(({ version }) => version)).toEqual(numbers);
      await expect.poll(() => bed.wire.standing).toBe(before);
      expect(await second.evaluate("board.activity.gaps")).toBe(0);
      expect([...complaints, ...others]).toEqual([]);
      await closed;
      await second.context().close();
    },
  );

  test("WA3 a reload resumes from the kept cursor: only what was missed is sent", async () => {
    const { page, complaints } = await bed.page();
    await bed.put("card:r", "before");
    await expect.poll(async () => (await toldOf(page, "card:r")).length).toBe(1);
    // What is kept is written behind the answer.
    await sleep(1_500);
    await page.goto("about:blank");
    await bed.put("card:r", "missed 1");
    await bed.put("card:r", "missed 2");
    const frames: string[] = [];
    page.on("websocket", (socket) =>
      socket.on("framereceived", ({ payload }) => frames.push(String(payload))),
    );
    await page.goto(bed.board.url);
    await isLive(page);
    await expect.poll(async () => (await toldOf(page, "card:r")).length).toBe(3);
    expect((await toldOf(page, "card:r")).map(({ text }) => text)).toEqual([
      "before",
      "missed 1",
      "missed 2",
    ]);
    expect(await card(page, "card:r").locator("textarea").inputValue()).toBe("missed 2");
    const sent = frames.join("\n");
    expect(frames.length).toBeGreaterThan(0);
    expect(sent).not.toContain("card:first");
    expect(sent).not.toMatch(/"t":"snap"/);
    expect(complaints).toEqual([]);
    await page.context().close();
  });

  test("WA2 a socket that breaks without a word, and a runtime that is killed, cost no event", async () => {
    const { page, complaints } = await bed.page();
    const key = "card:kept";
    const versions: number[] = [];
    const told = async () => (await toldOf(page, key)).map(({ version }) => version);
    versions.push(await bed.put(key, "before"));
    await expect.poll(told).toEqual(versions);
    // The browser still thinks that it is online.
    bed.wire.drop();
    for (let i = 0; i < 20; i++) versions.push(await bed.put(key, `dropped ${i}`));
    await expect.poll(told, { timeout: 10_000 }).toEqual(versions);
    const text = card(page, key).locator("textarea");
    await bed.restart();
    for (let i = 0; i < 20; i++) versions.push(await bed.put(key, `restarted ${i}`));
    await expect.poll(told, { timeout: 30_000 }).toEqual(versions);
    expect(await text.inputValue()).toBe("restarted 19");
    expect(await page.evaluate("board.activity.gaps")).toBe(0);
    await isLive(page);
    expect(complaints).toEqual([]);
    await page.context().close();
  });

  test("WA11 each page is told who else has the board open, and who writes on which card", async () => {
    const { page: ada, complaints } = await bed.page();
    const { page: grace, complaints: others } = await bed.page();
    await ada.locator("#name").fill("Ada");
    await grace.locator("#name").fill("Grace");
    await bed.put("card:shared", "Measure cold starts");
    await bed.put("card:doing", "Ask Ada about the fences", "doing");
    await bed.put("card:done", "Cut the wire for real", "done");
    await card(grace, "card:shared").locator("textarea").click();
    await ada.locator("#people li", { hasText: "Grace" }).waitFor();
    await grace.locator("#people li", { hasText: "Ada" }).waitFor();
    expect(await ada.locator("#people .me").innerText()).toBe("Ada (you)");
    await expect.poll(() => card(ada, "card:shared").getAttribute("data-writers")).toBe("Grace");
    await picture(ada, "people", "live-board");
    await grace.locator("#name").click();
    await expect.poll(() => card(ada, "card:shared").getAttribute("data-writers")).toBe("");
    await grace.close();
    await ada.locator("#people li", { hasText: "Grace" }).waitFor({ state: "detached" });
    expect([...complaints, ...others]).toEqual([]);
    await ada.context().close();
    await grace.context().close();
  });

  test("an edit shows at once, and is taken back with a word when it is refused", async () => {
    const { page, complaints } = await bed.page();
    await bed.put("card:edit", "as it was");
    const text = card(page, "card:edit").locator("textarea");
    await text.waitFor();
    await text.fill("mine");
    await text.press("Enter");
    await expect.poll(() => bed.stored("card:edit")).toMatchObject({ text: "mine" });
    // Away, both change it: the other's change stands, this page's is refused once it is sent.
    await page.context().setOffline(true);
    bed.wire.cut();
    await page.locator("#status[data-status=offline]").waitFor();
    await text.fill("mine again");
    await text.press("Enter");
    await page.locator(".card.pending").waitFor();
    await bed.put("card:edit", "theirs");
    await picture(page, "pending");
    bed.wire.heal();
    await page.context().setOffline(false);
    await page.locator("#notice", { hasText: "Somebody else changed this card first" }).waitFor();
    await expect.poll(() => text.inputValue()).toBe("theirs");
    expect(await bed.stored("card:edit")).toMatchObject({ text: "theirs" });
    await picture(page, "taken-back");
    expect(complaints).toEqual([]);
    await page.context().close();
  });

  test("who is writing while somebody else changes the card does not write over that", async () => {
    const { page, complaints } = await bed.page();
    await bed.put("card:both", "as it was");
    const text = card(page, "card:both").locator("textarea");
    await text.waitFor();
    await text.fill("mine");
    const version = await bed.put("card:both", "theirs");
    await card(page, "card:both")
      .locator("small", { hasText: `v${version}` })
      .waitFor();
    expect(await text.inputValue()).toBe("mine");
    await text.press("Enter");
    await page.locator("#notice", { hasText: "Somebody else changed this card first" }).waitFor();
    await expect.poll(() => text.inputValue()).toBe("theirs");
    // Twice in a row is nobody else's change.
    for (const next of ["mine now", "and still"]) {
      await text.fill(next);
      await text.press("Enter");
      await expect.poll(() => bed.stored("card:both")).toMatchObject({ text: next });
    }
    expect(complaints).toEqual([]);
    await page.context().close();
  });
});
