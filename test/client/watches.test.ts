import { expect, it } from "vitest";
import { watchKeys } from "../../src/client/watches.ts";
import { reconnectBaseMs } from "../../src/runtime/limits.ts";
import { answering, clientOf } from "./bed.ts";

it("streams that end at once, as those behind some proxies do, are not asked for without a pause", async () => {
  let asked = 0;
  const { client, clock } = clientOf(async (...call) => {
    if (++asked > 1_000) throw new Error("asked for without a pause");
    return await answering(200, "retry: 700\nid: e.1\n\n")(...call);
  });
  const random = { bytes: (count: number) => new Uint8Array(count).fill(128) };
  const items = watchKeys(client, "s", { key: "k" }, { timers: clock, random });
  const next = items.next().catch((error: unknown) => error);
  for (let steps = 0; steps < 20; steps++) {
    await clock.advance(reconnectBaseMs / 2);
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
  expect(asked).toBeGreaterThan(2);
  expect(asked).toBeLessThanOrEqual(30);
  void next;
});
