import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { Problem, SpaceHttp } from "../support/http-client.ts";
import { type Seeded, seeded } from "../support/seeded.ts";
import { startServe, temporaryFolder } from "../support/serve.ts";
import { type Change, VersionWriter } from "./version-writer.ts";

const seed = Number(process.env.WARP_TEST_SEED ?? Date.now() % 2 ** 32);
const isolates = 2;
const sharedKey = "doc:shared";

interface Kept {
  readonly version: number;
  readonly kind: string;
  readonly atMs: number;
}

test("VE1 VE2 VE3 VE4 VE5 two kill -9 amid writes: history, versions and points in time are those of the acknowledged writes, and restore works", async () => {
  console.log(`versions test: seed ${seed} (WARP_TEST_SEED repeats its choices)`);
  const random = seeded(seed);
  await using folder = await temporaryFolder();
  const writers = Array.from({ length: 12 }, (_, at) => new VersionWriter(`w${at}`, 3, sharedKey, random));
  let open = 0;
  let served = await startServe(folder.path, ["--isolates", String(isolates)]);
  try {
    const before = new SpaceHttp(served.url, "versions");
    await before.create({ shards: 2 });
    await before.register("doc:*", { history: { versions: 10_000 } });
    await before.register("few:*", { history: { versions: 3 } });
    const few: number[] = [];
    for (let n = 0; n < 5; n++) few.push((await before.put("few:1", `few ${n}`)).version);

    for (let kill = 0; kill < 2; kill++) {
      const spaces = served.urls.map((url) => new SpaceHttp(url, "versions"));
      let stopped = false;
      const runs = writers.map((writer, at) => writer.run(spaces[at % isolates] as SpaceHttp, () => stopped));
      await Promise.race([sleep(800 + random.below(700)), Promise.all(runs)]);
      await served.kill();
      stopped = true;
      await Promise.all(runs);
      served = await startServe(folder.path, ["--isolates", String(isolates)]);
      const space = new SpaceHttp(served.url, "versions");
      for (const writer of writers) if (await writer.resolve(space)) open++;
    }
    expect(open, "no kill met a write under way").toBeGreaterThan(0);

    const space = new SpaceHttp(served.urls[1] ?? served.url, "versions");
    let changes = 0;
    for (const [key, made] of writers.flatMap((writer) => [...writer.own])) {
      await checkLine(space, key, made, random);
      changes += made.length;
    }
    const shared = writers.flatMap((writer) => writer.shared);
    await checkShared(space, shared);
    console.log(`versions test: ${changes} changes, ${shared.length} of one key, ${open} of unknown fate`);
    expect(changes).toBeGreaterThan(300);
    expect(shared.length).toBeGreaterThan(30);

    await checkCompacted(space, few);
    for (const writer of writers.slice(0, 4)) {
      for (const [key, made] of writer.own) await checkRestore(space, key, made);
    }
  } finally {
    await served.stop();
  }
}, 120_000);

/** A key that one client changed, one step after the other: its history is that line, with every delete in its place. */
async function checkLine(
  space: SpaceHttp,
  key: string,
  made: readonly Change[],
  random: Seeded,
): Promise<void> {
  const history = await historyOf(space, key);
  const facts = `${key}, seed ${seed}`;
  expect(
    history.map(({ kind }) => kind),
    facts,
  ).toEqual(made.map(({ text }) => (text === undefined ? "delete" : "set")));
  for (const [at, change] of made.entries()) {
    const { version = 0 } = history[at] ?? {};
    if (change.version !== undefined) expect(version, `${facts}, change ${at}`).toBe(change.version);
    expect(version, `${facts}, change ${at}`).toBeGreaterThan(history[at - 1]?.version ?? 0);
  }
  for (let look = 0; look < Math.min(10, made.length); look++) {
    const at = random.below(made.length);
    const { text, ackedAtMs } = made[at] ?? {};
    const { version = 0 } = history[at] ?? {};
    const read = await space.get(key, `?version=${version}`);
    expect(read, `${facts}, version ${version}`).toMatchObject({ text, version });
    // The moment of its answer, as long as the next change had not been sent.
    if (ackedAtMs === undefined || (made[at + 1]?.sentAtMs ?? Number.POSITIVE_INFINITY) <= ackedAtMs)
      continue;
    const then = await space.get(key, `?at=${ackedAtMs}`);
    expect(then.text, `${facts}, at ${ackedAtMs}`).toBe(text);
  }
  const [oldest] = history;
  if (oldest !== undefined) {
    expect(
      (await space.get(key, `?at=${oldest.atMs - 1}`)).text,
      `${facts}: before its first`,
    ).toBeUndefined();
  }
}

/** A key that all wrote at the same time: each acknowledged write is a version with its value, and there are no others. */
async function checkShared(space: SpaceHttp, made: readonly Change[]): Promise<void> {
  const history = await historyOf(space, sharedKey);
  const byVersion = new Map(made.map((change) => [change.version, change]));
  expect(byVersion.size, "no two writes have one version").toBe(made.length);
  expect(history.map(({ version }) => version)).toEqual(
    [...byVersion.keys()].map(Number).sort((one, other) => one - other),
  );
  for (const { version, text } of made) {
    expect((await space.get(sharedKey, `?version=${version}`)).text, `seed ${seed}`).toBe(text);
  }
}

/** Of five versions three are kept: the older ones are told apart from what never was. */
async function checkCompacted(space: SpaceHttp, versions: readonly number[]): Promise<void> {
  const kept = (await historyOf(space, "few:1")).map(({ version }) => version);
  expect(kept).toEqual(versions.slice(2));
  for (const [at, version] of versions.entries()) {
    const read = space.get("few:1", `?version=${version}`);
    if (at >= 2) expect((await read).text).toBe(`few ${at}`);
    else await expect(read).rejects.toMatchObject({ status: 410, code: "version_compacted" });
  }
}

async function checkRestore(space: SpaceHttp, key: string, made: readonly Change[]): Promise<void> {
  const oldest = made.find(({ text }) => text !== undefined);
  if (oldest?.version === undefined) return;
  const { version } = (await space.post(`/restore/${encodeURIComponent(key)}`, {
    version: oldest.version,
  })) as { version: number };
  expect(await space.get(key)).toMatchObject({ text: oldest.text, version });
  expect((await historyOf(space, key)).map((kept) => kept.version).at(-1)).toBe(version);
}

/** All kept versions, oldest first. */
async function historyOf(space: SpaceHttp, key: string): Promise<Kept[]> {
  const kept: Kept[] = [];
  for (let before = ""; ; before = `&before=${kept.at(-1)?.version}`) {
    const page = await space
      .json(`/history/${encodeURIComponent(key)}?limit=50${before}`)
      .catch((error: unknown) => {
        if (error instanceof Problem && error.code === "not_found") return { versions: [], more: false };
        throw error;
      });
    const { versions, more } = page as { versions: Kept[]; more: boolean };
    kept.push(...versions);
    if (!more) return kept.reverse();
  }
}
