import { describe, expect, it } from "vitest";
import { ownSockets } from "../../src/connection/socket/own-sockets.ts";
import type { ShardWatchListener } from "../../src/connection/watching.ts";
import type { WarpError } from "../../src/errors.ts";
import type { ServerFrame } from "../../src/protocol/wire/frames.ts";
import { seeded } from "../support/seeded.ts";
import { virtualClock } from "../support/virtual-clock.ts";
import { VirtualWire } from "../support/virtual-wire.ts";
import { epoch, FakeHub } from "./fake-hub.ts";

/** Watches with a socket each, at a hub that the test plays. */
function bed() {
  const clock = virtualClock();
  const hub = new FakeHub();
  const wire = new VirtualWire(clock, hub.accept);
  const watching = ownSockets({ sockets: () => wire, timers: clock, clock, random: seeded(1) });
  const told: string[] = [];
  const failures: WarpError[] = [];
  const listener: ShardWatchListener = {
    begun: ({ revision }) => told.push(`begun ${revision}`),
    events: (events) => told.push(...events.map(({ revision, key }) => `${revision} ${key}`)),
    state: () => told.push("state"),
    gap: (why) => told.push(`gap ${why}`),
    missed: () => told.push("missed"),
    failed: (error) => failures.push(error),
  };
  const watch = () => watching.watch(0, { target: { prefix: "" }, mode: "all" }, "now", listener);
  const say = async (frame: ServerFrame): Promise<void> => {
    hub.last.send(frame);
    await clock.advance(5);
  };
  const event = (revision: number): ServerFrame => ({
    t: "we",
    epoch,
    after: revision - 1,
    to: revision,
    es: [[revision, "set", "k", revision, "text/plain", "dg=="]],
  });
  return { clock, hub, watch, say, event, told, failures };
}

async function begun() {
  const made = bed();
  const watch = made.watch();
  await made.clock.advance(5);
  const [sub] = made.hub.last.of("sub");
  await made.say({ t: "on", id: sub?.id ?? -1, epoch, revision: 3, live: true });
  await made.say(made.event(4));
  return { ...made, held: watch };
}

describe("watches with sockets of their own", () => {
  it("WA2 a socket that breaks is replaced, and the watch goes on behind what it was told", async () => {
    const { clock, hub, say, event, told, failures } = await begun();
    expect(hub.last.hello).toMatchObject({ follow: false });
    hub.last.end.close(1006, "");
    await clock.advance(1_000);
    expect(hub.sessions).toHaveLength(2);
    const [sub] = hub.last.of("sub");
    expect(sub).toMatchObject({ from: { epoch, revision: 4 } });
    await say({ t: "on", id: sub?.id ?? -1, epoch, revision: 4, live: true });
    await say(event(5));
    expect(told.filter((line) => line.endsWith(" k"))).toEqual(["4 k", "5 k"]);
    expect(failures).toEqual([]);
  });

  it("a shard that asks to be left is left, for another socket", async () => {
    const { clock, hub, say } = await begun();
    await say({ t: "go", withinMs: 50 });
    await clock.advance(1_000);
    expect(hub.sessions).toHaveLength(2);
    expect(hub.sessions[0]?.closed).toBeDefined();
    expect(hub.last.of("sub")).toMatchObject([{ from: { epoch, revision: 4 } }]);
  });

  it("what keeps the first attempt from succeeding ends the watch; it is told after the watch is given", async () => {
    const { clock, hub, watch, failures } = bed();
    hub.closesWith = { code: 4100, reason: "" };
    watch();
    expect(failures).toEqual([]);
    await clock.advance(60_000);
    expect(failures).toMatchObject([{ code: "overloaded" }]);
    expect(hub.sessions).toHaveLength(1);
  });

  it("later only what stays so ends it: a refused token, and not a shard that takes no more", async () => {
    const { clock, hub, failures } = await begun();
    hub.closesWith = { code: 4100, reason: "" };
    hub.last.end.close(1006, "");
    await clock.advance(1_000);
    expect(failures).toEqual([]);
    hub.closesWith = { code: 4003, reason: "token_expired" };
    await clock.advance(60_000);
    expect(failures).toMatchObject([{ code: "token_expired" }]);
    const { length } = hub.sessions;
    await clock.advance(60_000);
    expect(hub.sessions).toHaveLength(length);
  });

  it("its end closes its socket, also while none stands", async () => {
    const { clock, hub, held } = await begun();
    hub.last.end.close(1006, "");
    held.end();
    await clock.advance(60_000);
    expect(hub.sessions).toHaveLength(1);
    const other = await begun();
    other.held.end();
    await other.clock.advance(5);
    expect(other.hub.last.closed).toEqual({ code: 1000 });
  });
});
