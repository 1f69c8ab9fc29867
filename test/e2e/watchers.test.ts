import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { Crowd, cpuMs, percentile } from "../support/crowd.ts";
import { type Served, startServe, temporaryFolder } from "../support/serve.ts";
import { TcpProxy } from "../support/twin/tcp-proxy.ts";

const sizeOf = (name: string, fallback: number) => Number(process.env[name] ?? fallback);
/** Full size by `npm run watchers`. */
const watchers = sizeOf("WARP_WATCHERS", 400);
const shardWatchers = sizeOf("WARP_TEST_SHARD_WATCHERS", 50);
const relayWatchers = sizeOf("WARP_TEST_RELAY_WATCHERS", 100);
const events = sizeOf("WARP_WATCHER_EVENTS", 40);
const pauseMs = sizeOf("WARP_WATCHER_PAUSE_MS", 50);
const cutOff = sizeOf("WARP_CUT_WATCHERS", 300);
const socketsPerSecond = sizeOf("WARP_CUT_SOCKETS_PER_SECOND", 50);

async function put(served: Served, n: number): Promise<void> {
  const body = JSON.stringify({ n, at: performance.now() });
  const response = await fetch(`${served.url}/v1/crowd/keys/w:${n % 10}`, { method: "PUT", body });
  if (!response.ok) throw new Error(`the write was answered ${response.status}`);
  await response.body?.cancel();
}

test(`WA2 ${watchers} watchers over relays: every event arrives at each, none twice, in order; idle ones cost nothing and are told of what comes next`, {
  timeout: 600_000,
}, async () => {
  await using folder = await temporaryFolder();
  const served = await startServe(folder.path, [], {
    WARP_SHARD_WATCHERS: String(shardWatchers),
    WARP_RELAY_WATCHERS: String(relayWatchers),
  });
  const crowd = new Crowd(`${served.url}/v1/crowd`);
  try {
    await put(served, -1);
    const opening = performance.now();
    await crowd.grow(watchers);
    const openedMs = performance.now() - opening;
    const before = cpuMs(served.workerdPid);
    for (let n = 0; n < events; n++) {
      await put(served, n);
      await sleep(pauseMs);
    }
    await crowd.untilSeen(events);
    const usedMs = cpuMs(served.workerdPid) - before;
    const deliveries = events * watchers;
    // Nobody has anything to say: after ten seconds of it objects sleep, sockets stay.
    await sleep(12_000);
    const asleep = cpuMs(served.workerdPid);
    await sleep(5_000);
    const idleMs = cpuMs(served.workerdPid) - asleep;
    await put(served, events);
    await crowd.untilSeen(events + 1);
    const told = crowd.latencies.slice(0, deliveries);
    console.log(
      [
        `${watchers} watchers (${shardWatchers} at the shard, ${relayWatchers} a relay), open after ${(openedMs / 1_000).toFixed(1)} s`,
        `${deliveries} deliveries of ${events} writes: p50 ${percentile(told, 0.5).toFixed(0)} ms, p99 ${percentile(told, 0.99).toFixed(0)} ms from the call of the write`,
        `${((usedMs * 1_000) / deliveries).toFixed(1)} µs CPU of workerd for each; idle ${idleMs} ms in 5 s`,
        `the next one after that: p99 ${percentile(crowd.latencies.slice(deliveries), 0.99).toFixed(0)} ms`,
        crowd.summary(),
      ].join("\n"),
    );
    expect(crowd.wrong(events + 1)).toEqual([]);
    expect([...crowd.closes]).toEqual([]);
  } finally {
    crowd.stop();
    await served.stop();
  }
});

test(`WA12 ${cutOff} watchers that are cut off at once come back, within the rate at which sockets are taken, and have missed nothing`, {
  timeout: 600_000,
}, async () => {
  await using folder = await temporaryFolder();
  const served = await startServe(folder.path, [], {
    WARP_SHARD_WATCHERS: "0",
    WARP_RELAY_WATCHERS: "10000",
    WARP_SOCKETS_PER_SECOND: String(socketsPerSecond),
  });
  const proxy = await TcpProxy.start(() => Number(new URL(served.url).port));
  const crowd = new Crowd(`http://127.0.0.1:${proxy.port}/v1/crowd`);
  let stop = false;
  try {
    await put(served, -1);
    // Slower than sockets are taken.
    for (let some = 0; some < cutOff; some += socketsPerSecond / 2) {
      await crowd.grow(Math.min(socketsPerSecond / 2, cutOff - some), socketsPerSecond);
      await sleep(600);
    }
    await sleep(2_000);
    expect(crowd.summary()).toMatch(/closes: none/);
    let written = 0;
    const writing = (async () => {
      for (; !stop; written++) {
        await put(served, written);
        await sleep(100);
      }
    })();
    await sleep(500);
    const { attempts } = crowd;
    proxy.cut();
    await sleep(20);
    const backMs = await crowd.untilLive();
    stop = true;
    await writing;
    await crowd.untilSeen(written);
    // A busy machine may be slower than the rate.
    const refused = [...crowd.closes].filter(([what]) => what.startsWith("4100"));
    const refusals = refused.reduce((sum, [, count]) => sum + count, 0);
    console.log(
      `${refusals} refused by the rate; ${cutOff} cut off at once are back after ${(backMs / 1_000).toFixed(1)} s; ${crowd.attempts - attempts} attempts; ${crowd.summary()}`,
    );
    expect(crowd.wrong(written)).toEqual([]);
    // What was refused was refused by the rate, and by nothing else.
    const others = [...crowd.closes].filter(([what]) => !what.startsWith("1006"));
    for (const [what] of others) expect(what).toMatch(/^4100 overloaded: more than \d+ sockets a second/);
    // Such a one is told at once, not when its object falls asleep.
    expect(percentile([0, ...crowd.refusedAfterMs], 0.9)).toBeLessThan(5_000);
    // No more at once than the rate allows; all of them were back in the time that it needs, and that of their last wait.
    const leastMs = ((cutOff - 2 * socketsPerSecond) / socketsPerSecond) * 1_000;
    expect(backMs).toBeGreaterThan(leastMs - 500);
    expect(backMs).toBeLessThan(4 * leastMs + 15_000);
  } finally {
    stop = true;
    crowd.stop();
    await proxy.stop();
    await served.stop();
  }
});
