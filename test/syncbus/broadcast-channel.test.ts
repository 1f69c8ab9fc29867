import { describe, expect, it } from "vitest";
import { host } from "#host";
import {
  broadcastChannelBus,
  type Channel,
} from "../../src/syncbus/broadcast-channel/broadcast-channel-bus.ts";
import { codeOf, Ear, syncBusContract } from "../contract/syncbus.ts";
import { busHost } from "../support/bus-host.ts";
import { FakeChannels } from "../support/fake-channel.ts";

const supports = {
  quorum: false,
  zones: false,
  health: false,
  peers: false,
  scope: false,
  region: false,
  resume: false,
  remote: true,
};

syncBusContract({
  name: "broadcast-channel",
  supports,
  run: async (work) => {
    const bed = busHost();
    const channels = new FakeChannels();
    await work({
      clock: bed.clock,
      end: (node) =>
        broadcastChannelBus({ ...bed, channel: channels.open(), ...(node === undefined ? {} : { node }) }),
      arrive: () => bed.clock.settle(),
      again: async () => channels.again(),
    });
  },
});

describe("broadcast-channel", () => {
  it("what is no burst of this version is told of and changes nothing", async () => {
    const bed = busHost();
    const channels = new FakeChannels();
    const bus = broadcastChannelBus({ ...bed, channel: channels.open() });
    const ear = await Ear.on(bus);
    const errors: unknown[] = [];
    bus.onError((error) => errors.push((error as { code?: string }).code));
    const event = { id: "1", key: "k" };
    for (const data of [
      undefined,
      null,
      "hello",
      {},
      { warp: 2, node: "n", events: [event] },
      { warp: 1, node: "", events: [event] },
      { warp: 1, node: "n", events: "k" },
      { warp: 1, node: "n", events: [event, null] },
      { warp: 1, node: "n", events: [{ id: 1, key: "k" }] },
      { warp: 1, node: "n", events: [{ id: "1" }] },
      { warp: 1, node: "n", events: [{ id: "1", key: "" }] },
      { warp: 1, node: "n", events: [{ id: "1", key: "\ud800" }] },
      { warp: 1, node: "n".repeat(129), events: [event] },
      { warp: 1, node: "n", events: [], leases: "all" },
      { warp: 1, node: "n", events: [], leases: [{ id: "1", lease: "not an id" }] },
    ]) {
      channels.deliver("message", data);
    }
    channels.deliver("messageerror", undefined);
    await bed.clock.settle();
    expect(ear.events).toEqual([]);
    expect(new Set(errors)).toEqual(new Set(["invalid_frame", "protocol_mismatch", "invalid_key"]));
    expect(errors.length).toBe(16);
    channels.deliver("message", { warp: 1, node: "n", events: [{ ...event, more: 1 }], more: 1 });
    await bed.clock.settle();
    expect(ear.events).toEqual([{ id: "1", key: "k", node: "n" }]);
  });

  it("a channel that takes no messages is unavailable", async () => {
    const bed = busHost();
    const channel: Channel = {
      ...new FakeChannels().open(),
      postMessage: () => {
        throw new Error("gone");
      },
    };
    const bus = broadcastChannelBus({ ...bed, channel });
    expect(await codeOf(bus.publish({ key: "k" }))).toBe("unavailable");
    expect(bus.stats().published).toBe(0);
  });

  const real = (globalThis as { BroadcastChannel?: new (name: string) => Channel }).BroadcastChannel;
  // workerd has the class, and nobody on the other end.
  it.skipIf(real === undefined || host.name === "workerd")("works over the host's own channels", async () => {
    if (real === undefined) return;
    const bed = busHost();
    const [one, other] = ["a", "b"].map(() =>
      broadcastChannelBus({ ...bed, channel: new real("warp-test") }),
    );
    const heard = Promise.withResolvers<unknown>();
    await other?.subscribe({ key: "k" }, (events) => heard.resolve(events));
    await one?.publish({ key: "k" });
    expect(await heard.promise).toMatchObject([{ key: "k", node: one?.node }]);
    await one?.close();
    await other?.close();
  });
});
