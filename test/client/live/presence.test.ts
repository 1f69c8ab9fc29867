import { describe, expect, it } from "vitest";
import { Presence } from "../../../src/client/presence.ts";
import { sharingOver } from "../../../src/client/tabs/tab-sharing.ts";
import { withClients } from "../../support/client-bed.ts";
import { FakeBrowser } from "../../support/fake-tabs.ts";

const shown = (presence: Presence): unknown[] => [...presence.members.values()].sort();

describe("WA11 who is there", () => {
  it("is told to those who look, changes as it changes, and outlives a cut", async () => {
    await withClients(async (bed) => {
      const [ada, bob] = [new Presence<string>("ada"), new Presence<string>()];
      const [one, two] = [bed.client(), bed.client()];
      const watch = one.client.watch({ key: "room" }, { presence: ada });
      await bed.until(watch.ready);
      await bed.until(two.client.watch({ key: "room" }, { presence: bob }).ready);
      await bed.clock.advance(100);
      expect([shown(ada), shown(bob), ada.members.get(ada.me ?? "")]).toEqual([["ada"], ["ada"], "ada"]);
      bob.show("bob");
      await bed.clock.advance(100);
      expect([shown(ada), shown(bob)]).toEqual([
        ["ada", "bob"],
        ["ada", "bob"],
      ]);
      two.wire.cut();
      expect([bob.isCurrent, shown(bob)]).toEqual([false, ["ada", "bob"]]);
      await bed.clock.advance(300);
      expect([bob.isCurrent, shown(ada), shown(bob)]).toEqual([true, ["ada", "bob"], ["ada", "bob"]]);
      watch.close();
      await bed.clock.advance(100);
      expect([shown(bob), ada.count]).toEqual([["bob"], 0]);
    });
  });

  it("tabs of one socket are members each", async () => {
    await withClients(async (bed) => {
      const browser = new FakeBrowser();
      const seats = ["ada", "bob", "eve"].map((name) => new Presence<string>(name));
      const tabs = seats.map(() => bed.client({ share: sharingOver(browser.tab()) }));
      for (const [at, presence] of seats.entries()) {
        const watch = tabs[at]?.client.watch({ prefix: "room:" }, { presence });
        if (watch !== undefined) await bed.until(watch.ready);
      }
      await bed.clock.advance(100);
      expect(seats.map((seat) => shown(seat))).toEqual(
        Array.from({ length: 3 }, () => ["ada", "bob", "eve"]),
      );
      expect(bed.opened.length).toBe(1);
      await tabs[1]?.client.close();
      await bed.clock.advance(100);
      expect(seats[0] && shown(seats[0])).toEqual(["ada", "eve"]);
    });
  });
});
