import { describe, expect, it } from "vitest";
import type { ClientOptions, Settled, WatchedItem } from "../../../src/client/live/types.ts";
import { sharingOver } from "../../../src/client/tabs/tab-sharing.ts";
import { type ClientBed, tokenOf, withClients } from "../../support/client-bed.ts";
import { FakeBrowser, type FakeTab } from "../../support/fake-tabs.ts";
import { seeded } from "../../support/seeded.ts";

/** By hand: more of them with WARP_TEST_SEEDS. */
const runs = Number(
  (globalThis as { process?: { env: Record<string, string> } }).process?.env.WARP_TEST_SEEDS ?? 40,
);

const thrown = (promise: Promise<unknown>): Promise<unknown> => promise.catch((error: unknown) => error);

/** A tab with a client in it. */
function openTab(bed: ClientBed, browser: FakeBrowser, options: Partial<ClientOptions> = {}) {
  const tab: FakeTab = browser.tab();
  const wire = bed.wire();
  const made = bed.client(
    { share: sharingOver(tab), ...options },
    tab.within({ timers: bed.clock, sockets: wire }),
  );
  return {
    tab,
    ...made,
    wire,
    /** The tab is gone without a word. */
    kill(): void {
      tab.kill();
      wire.cut();
    },
  };
}

/** Sockets that stand now. */
const sockets = (tabs: readonly { readonly wire: { readonly lines: number } }[]): number =>
  tabs.reduce((sum, { wire }) => sum + wire.lines, 0);

describe("tabs of one origin", () => {
  it("WA12 share one socket: calls and watches of each come back to it", async () => {
    await withClients(async (bed) => {
      const browser = new FakeBrowser();
      const tabs = [0, 1, 2].map(() => openTab(bed, browser));
      await bed.until(Promise.all(tabs.map(({ client }, at) => client.set(`k${at}`, at))));
      expect(sockets(tabs)).toBe(1);
      for (const [at, { client }] of tabs.entries()) {
        expect(client.status).toBe("online");
        expect((await bed.until(client.get(`k${(at + 1) % 3}`)))?.value).toBe((at + 1) % 3);
      }
      const told: string[] = [];
      const watches = tabs.map(({ client }, at) =>
        client.watch(
          { key: `k${at}` },
          { ops: ["set"], onEvent: (item) => void told.push(`${at}:${"key" in item && item.key}`) },
        ),
      );
      await bed.until(Promise.all(watches.map(({ ready }) => ready)));
      for (const at of [0, 1, 2]) await bed.write(`k${at}`, "new");
      await bed.clock.advance(50);
      expect(told.sort()).toEqual(["0:k0", "1:k1", "2:k2"]);
      watches[1]?.close();
      await bed.write("k1", "newer");
      await bed.clock.advance(50);
      expect(told.length).toBe(3);
      expect(sockets(tabs)).toBe(1);
    });
  });

  it("WA12 when the tab that carries the others is gone, the next one takes over: nothing is lost, nothing told twice", async () => {
    await withClients(async (bed) => {
      const browser = new FakeBrowser();
      const tabs = [0, 1, 2].map(() => openTab(bed, browser));
      const told = tabs.map((): unknown[] => []);
      for (const [at, { client }] of tabs.entries()) {
        const watch = client.watch(
          { prefix: "" },
          { ops: ["set"], onEvent: (item) => void told[at]?.push("value" in item && item.value) },
        );
        await bed.until(watch.ready);
      }
      for (let n = 0; n < 30; n++) {
        await bed.write("k", `${n}`);
        if (n === 10) tabs[0]?.kill();
        if (n === 20) void tabs[1]?.client.close();
        await bed.clock.advance(10);
      }
      await bed.clock.advance(500);
      for (let turn = 0; turn < 10; turn++) await bed.clock.settle();
      expect(told[2]).toEqual(Array.from({ length: 30 }, (_, n) => `${n}`));
      expect(told[1]).toEqual(Array.from({ length: told[1]?.length ?? 0 }, (_, n) => `${n}`));
      expect(told[1]?.length).toBeGreaterThan(19);
      expect(sockets(tabs)).toBe(1);
      expect(tabs[2]?.client.status).toBe("online");
    });
  });

  it("OU1 a write under way when its tab's leader goes is unknown, one that is queued is done once", async () => {
    await withClients(async (bed) => {
      const browser = new FakeBrowser();
      const [leader, follower] = [openTab(bed, browser), openTab(bed, browser)];
      await bed.until(follower.client.set("k", 0));
      expect(leader.wire.lines).toBe(1);
      const settled: Settled[] = [];
      follower.client.queue.settled((one) => settled.push(one));
      const ending = thrown(follower.client.set("k", 1));
      await bed.clock.advance(1);
      leader.kill();
      expect(await bed.until(ending)).toMatchObject({ code: "unavailable", outcome: "unknown" });
      follower.signals.give("offline");
      await follower.client.set("k", 2);
      follower.signals.give("online");
      await bed.clock.advance(1_000);
      expect(settled).toMatchObject([{ outcome: "ok" }]);
      expect(follower.wire.lines).toBe(1);
    });
  });

  it("SE2 tabs of other rights, spaces or addresses have sockets of their own, and see nothing through others", async () => {
    await withClients(async (bed) => {
      const browser = new FakeBrowser();
      const end = Math.round(bed.clock.now() / 1_000) + 3_600;
      const wide = openTab(bed, browser, { token: tokenOf({ sub: "ada", prefixes: [""], exp: end }) });
      const narrow = openTab(bed, browser, { token: tokenOf({ sub: "ada", prefixes: ["user:"], exp: end }) });
      const later = openTab(bed, browser, { token: tokenOf({ sub: "ada", prefixes: [""], exp: end + 60 }) });
      const other = openTab(bed, browser, { token: tokenOf({ sub: "bob", prefixes: [""], exp: end }) });
      await bed.until(wide.client.set("secret", 1));
      const all = [wide, narrow, later, other];
      for (const { client } of all) await bed.until(thrown(client.get("user:1")));
      expect(all.map(({ wire }) => wire.lines)).toEqual([1, 1, 0, 1]);
      expect(await bed.until(thrown(narrow.client.get("secret")))).toMatchObject({ code: "forbidden" });
      expect(await bed.until(thrown(narrow.client.watch({ prefix: "" }).ready))).toMatchObject({
        code: "forbidden",
      });
      expect((await bed.until(later.client.get("secret")))?.value).toBe(1);
    });
  });

  it("WA9 tokens are renewed through the shared socket; a newer one of other rights moves its tab to a socket of its own", async () => {
    await withClients(async (bed) => {
      const browser = new FakeBrowser();
      let prefixes = [""];
      const source = (mine: () => readonly string[]) => () =>
        tokenOf({ sub: "ada", prefixes: mine(), exp: Math.round(bed.clock.now() / 1_000) + 120 });
      const first = openTab(bed, browser, { token: source(() => [""]) });
      const second = openTab(bed, browser, { token: source(() => prefixes) });
      await bed.until(first.client.watch({ prefix: "" }).ready);
      const watch = second.client.watch({ prefix: "a" });
      await bed.until(watch.ready);
      await bed.clock.advance(300_000);
      expect([sockets([first, second]), bed.opened.length]).toEqual([1, 1]);
      prefixes = ["a"];
      await bed.clock.advance(120_000);
      expect([first.wire.lines, second.wire.lines]).toEqual([1, 1]);
      expect(await bed.until(thrown(second.client.get("b")))).toMatchObject({ code: "forbidden" });
      expect([watch.status, await bed.until(first.client.get("b"))]).toEqual(["live", undefined]);
    });
  });

  it("a tab that carries the others and stands still is replaced, and finds its way back", async () => {
    await withClients(async (bed) => {
      const browser = new FakeBrowser();
      const [first, second] = [openTab(bed, browser), openTab(bed, browser)];
      await bed.until(second.client.set("k", 1));
      first.tab.stall();
      await bed.clock.advance(60_000);
      expect((await bed.until(second.client.get("k")))?.value).toBe(1);
      expect(second.wire.lines).toBe(1);
      first.tab.goOn();
      await bed.clock.advance(1_000);
      expect((await bed.until(first.client.get("k")))?.value).toBe(1);
      expect([first.wire.lines, second.wire.lines]).toEqual([0, 1]);
    });
  });

  it("a page that is put aside carries nobody", async () => {
    await withClients(async (bed) => {
      const browser = new FakeBrowser();
      const [first, second] = [openTab(bed, browser), openTab(bed, browser)];
      const watch = second.client.watch({ prefix: "" });
      await bed.until(watch.ready);
      expect(first.wire.lines).toBe(1);
      first.signals.give("frozen");
      await bed.clock.advance(200);
      expect([first.wire.lines, second.wire.lines, watch.status]).toEqual([0, 1, "live"]);
      first.signals.give("resumed");
      await bed.clock.advance(200);
      expect([first.wire.lines, first.client.status]).toEqual([0, "online"]);
      await first.client.close();
      await second.client.close();
      await bed.clock.advance(5_000);
      expect([browser.held, sockets([first, second]), bed.clock.timers]).toEqual([0, 0, 0]);
    });
  });

  it("without Web Locks each tab has a socket of its own", async () => {
    await withClients(async (bed) => {
      const tabs = [0, 1].map(() => bed.client({ share: sharingOver(undefined) }));
      for (const { client } of tabs) await bed.until(client.get("k"));
      expect(sockets(tabs)).toBe(2);
    });
  });

  it(`WA2 WA12 over ${runs} seeds of tabs that come, go, stand still and are cut: each is told everything once and in order`, async () => {
    for (let seed = 1; seed <= runs; seed++) {
      await withClients(async (bed) => {
        const random = seeded(seed);
        const browser = new FakeBrowser();
        const open = () => {
          const made = openTab(bed, browser);
          const told: number[] = [];
          const watch = made.client.watch(
            { prefix: "k" },
            {
              from: "snapshot",
              ops: ["set"],
              onEvent: (item: WatchedItem) => {
                if (item.kind === "gap") throw new Error("nothing was lost");
                if (item.kind === "set") told.push(Number(item.value));
                else if (item.kind === "snapshot")
                  told.push(...item.entries.map(({ value }) => Number(value)));
              },
            },
          );
          return { ...made, told, watch, isStalled: false };
        };
        let tabs = [open(), open()];
        let written = 0;
        for (let step = 0; step < 80; step++) {
          const dice = random.below(16);
          const one = random.pick(tabs);
          if (dice === 0 && tabs.length < 5) tabs.push(open());
          else if (dice === 1 && tabs.length > 1) {
            one.kill();
            tabs = tabs.filter((other) => other !== one);
          } else if (dice === 2 && tabs.length > 1 && !one.isStalled) {
            void one.client.close();
            tabs = tabs.filter((other) => other !== one);
          } else if (dice === 3 && !one.isStalled) one.wire.cut(random.pick([1006, 4200]));
          else if (dice === 4) {
            if (one.isStalled) one.tab.goOn();
            else one.tab.stall();
            one.isStalled = !one.isStalled;
          } else if (dice === 5) bed.first.restart(random.below(2) === 0);
          else if (dice === 6 && !one.isStalled)
            one.signals.give(random.pick(["frozen", "resumed", "hidden", "visible"]));
          else if (dice < 10) await bed.clock.advance(random.pick([1, 5, 50, 8_000]));
          else await bed.write("k", `${written++}`);
        }
        for (const { tab, signals } of tabs) {
          tab.goOn();
          signals.give("resumed");
          signals.give("visible");
        }
        await bed.clock.advance(90_000);
        await bed.write("k", `${written++}`);
        await bed.clock.advance(1_000);
        for (let turn = 0; turn < 20; turn++) await bed.clock.settle();
        for (const { told, watch, client } of tabs) {
          // From where it came in; a state that was cut short is told again.
          const news = told.filter((value, at) => value !== told[at - 1]);
          expect(news).toEqual(Array.from({ length: news.length }, (_, n) => written - news.length + n));
          expect([watch.status, client.status]).toEqual(["live", "online"]);
        }
        expect(sockets(tabs)).toBe(1);
      }).catch((cause: unknown) => {
        throw new Error(`seed ${seed}`, { cause });
      });
    }
  });
});
