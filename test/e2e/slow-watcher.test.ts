import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, expect, test } from "vitest";
import type { Warp } from "../../src/core/warp.ts";
import { connectWarp } from "../../src/node.ts";
import { bytesCodec } from "../../src/runtime/codec.ts";
import { DeafSocket } from "../support/deaf-socket.ts";
import { eventually, type Served, startServe, temporaryFolder } from "../support/serve.ts";

/** What is published while watchers don't read, in MiB: few in the suite, 200 in `npm run watchers`. */
const megabytes = Number(process.env.WARP_PUBLISHED_MIB ?? "8");
/** Watchers that never read. */
const deafSockets = Number(process.env.WARP_DEAF_SOCKETS ?? "1");
const space = "slow";
const secret = "secret-of-the-slow-watchers";
const ends: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

/** What the runtime has in memory, in MiB. */
function residentMiB({ workerdPid }: Served): number {
  const pages = Number(readFileSync(`/proc/${workerdPid}/statm`, "utf8").split(" ")[1]);
  return (pages * 4_096) / 1_048_576;
}

/** Publishes `megabytes`, half of it as values of keys and half as publications that pass; gives the largest size of the runtime meanwhile, and how long others waited. */
async function publish(served: Served, round: string, megabytes: number) {
  const writer = connectWarp(served.url, { space, token: secret });
  const [other, clock] = [0, 1].map(() => connectWarp(served.url, { space, token: secret })) as [Warp, Warp];
  try {
    const late: number[] = [];
    const watch = other.watch<number>(
      { key: "tick" },
      {
        onEvent: (item) => {
          if (item.kind === "set") late.push(performance.now() - Number(item.value));
        },
      },
    );
    await watch.ready;
    let peak = 0;
    let isOver = false;
    const measure = async (): Promise<void> => {
      for (; !isOver; await sleep(50)) peak = Math.max(peak, residentMiB(served));
    };
    const tick = async (): Promise<number> => {
      let ticks = 0;
      for (; !isOver; await sleep(20)) {
        await clock.set("tick", performance.now());
        ticks++;
      }
      return ticks;
    };
    const [measuring, ticking] = [measure(), tick()];
    const [value, passing] = [new Uint8Array(16_000).fill(120), new Uint8Array(64_000).fill(121)];
    const codec = bytesCodec;
    for (let sent = 0, at = 0; sent < megabytes * 1_048_576; ) {
      const work: Promise<unknown>[] = [];
      for (let i = 0; i < 16; i++) work.push(writer.set(`k${round}${at++ % 500}`, value, { codec }));
      for (let i = 0; i < 4; i++) work.push(writer.publish({ prefix: "k" }, passing, { codec }));
      await Promise.all(work);
      sent += 16 * value.length + 4 * passing.length;
    }
    isOver = true;
    const [ticks] = await Promise.all([ticking, measuring]);
    expect(await eventually(() => late.length === ticks)).toBe(true);
    late.sort((a, b) => a - b);
    const at = (share: number): number =>
      late[Math.min(late.length - 1, Math.floor(share * late.length))] ?? 0;
    return { peak, ticks, middle: at(0.5), high: at(0.99), longest: at(1) };
  } finally {
    await Promise.all([writer.close(), other.close(), clock.close()]);
  }
}

function told({ peak, ticks, middle, high, longest }: Awaited<ReturnType<typeof publish>>): string {
  const [a, b, c] = [middle, high, longest].map((ms) => ms.toFixed(1));
  return `peak ${peak.toFixed(0)} MiB; ${ticks} events reached another watcher after ${a} ms (middle), ${b} ms (99 of 100), ${c} ms (longest)`;
}

test.each([
  ["a shard", {}],
  ["a relay", { WARP_SHARD_WATCHERS: "0" }],
])(
  "WA7 a watcher of %s that never reads: memory stays bounded, it is told and closed, goes on from its cursor, and others don't wait for it",
  async (who, env) => {
    const folder = await temporaryFolder();
    ends.push(async () => await folder[Symbol.asyncDispose]());
    const served = await startServe(folder.path, [], { WARP_SECRET: secret, ...env });
    ends.push(() => served.stop());
    const protocols = ["warp.v1.json", `warp.auth.${secret}`];
    const open = () => DeafSocket.open(served.url, `/v1/${space}/connect?shard=0&follow=false`, protocols);
    const founder = connectWarp(served.url, { space, token: secret });
    await founder.set("first", 1);
    await founder.close();
    // What both rounds have alike.
    const first = await publish(served, "w", Math.min(8, megabytes));
    const before = residentMiB(served);
    // As much as later, since what the log keeps takes room, too.
    const alone = await publish(served, "a", megabytes);

    const crowd: DeafSocket[] = [];
    for (let at = 0; at < deafSockets; at++) {
      const one = await open();
      crowd.push(one);
      one.say({ t: "hello", v: 1, node: "never-reads", follow: false });
      one.say({ t: "sub", id: 1, prefix: "", mode: "all", from: "now" });
      expect(await eventually(() => one.frames.some(({ t }) => t === "on"))).toBe(true);
      one.stop();
    }
    const [deaf] = crowd as [DeafSocket];
    const along = await publish(served, "b", megabytes);
    await sleep(11_000);
    await publish(served, "c", 4);
    const after = residentMiB(served);
    console.log(
      [
        `${megabytes} MiB published; a watcher of ${who} that never reads:`,
        `  before ${before.toFixed(0)} MiB (warm; first part's peak ${first.peak.toFixed(0)}), after ${after.toFixed(0)} MiB`,
        `  without it: ${told(alone)}`,
        `  with it:    ${told(along)}`,
      ].join("\n"),
    );

    // Of each a share of 32 MiB at most is on its way, beside what every socket takes.
    expect(along.peak - alone.peak).toBeLessThan(64 + deafSockets / 2);
    // Of what was published since, twice that much, the process keeps little: the log's values, what the database has of them in memory, what waits to be collected.
    expect(along.peak - before).toBeLessThan(128 + megabytes / 4 + deafSockets / 2);
    expect(along.middle).toBeLessThan(1_000 + 3 * alone.middle);
    deaf.goOn();
    expect(await eventually(() => deaf.closedWith !== undefined || deaf.hasEnded)).toBe(true);
    expect(deaf.closedWith).toMatchObject({ code: 4101 });
    const { bytes } = deaf;
    console.log(
      `  it was sent ${(bytes / 1_048_576).toFixed(2)} MiB before it was closed with ${deaf.closedWith?.reason}`,
    );
    expect(bytes).toBeLessThan(1_048_576);

    // It goes on behind what it has heard.
    const last =
      deaf.frames.findLast(({ t, to }) => t === "we" && to !== undefined) ??
      deaf.frames.find(({ t }) => t === "on");
    const from = { epoch: last?.epoch, revision: last?.to ?? last?.revision };
    const again = await open();
    again.onText = (text) => {
      if (!text.startsWith('{"t":"mark"')) return;
      again.say({ t: "seen", n: (JSON.parse(text) as { n: number }).n });
    };
    again.say({ t: "hello", v: 1, node: "reads-now", follow: false });
    again.say({ t: "sub", id: 1, prefix: "", mode: "all", from });
    const isLive = (): boolean => again.frames.some(({ t, live }) => t === "on" && live === true);
    expect(await eventually(isLive, 240_000)).toBe(true);
    const rows = again.frames.flatMap(({ t, es }) => (t === "we" ? (es as [number][]) : []));
    const gaps = again.frames.filter(({ t }) => t === "gap").length;
    console.log(`  resumed at ${from.revision}: ${rows.length} events, ${gaps} gaps`);
    const revisions = rows.map(([revision]) => revision);
    if (gaps === 0) expect(revisions).toEqual(revisions.map((_, at) => Number(from.revision) + 1 + at));
    again.destroy();
    for (const one of crowd) one.destroy();
  },
  600_000,
);
