import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { Problem, SpaceHttp } from "../support/http-client.ts";
import { seeded } from "../support/seeded.ts";
import { type Served, startServe, temporaryFolder } from "../support/serve.ts";
import { type Change, VersionWriter } from "./version-writer.ts";
import { type Expected, type Kept, KeyModel, type Span } from "./versions-model.ts";

const seed = Number(process.env.WARP_TEST_SEED ?? Date.now() % 2 ** 32);
const facts = `seed ${seed}`;
const isolates = 2;
const clients = 48;
const ownKeys = 2;
const sharedKeys = ["doc:shared:0", "doc:shared:1", "doc:shared:2", "doc:shared:3"];
const keys = clients * ownKeys + sharedKeys.length;
const kills = 4;
const versionsWanted = 10_000;
const moments = 6_000;
/** Requests on their way at once while the past is read. */
const width = 24;

test("VE1 VE2 VE3 VE4 VE5 10,000 versions of 100 keys through four kill -9 amid writes: every version, every history and 6,000 points in time are those of a model", async () => {
  console.log(`versions test: ${facts} (WARP_TEST_SEED repeats its choices)`);
  const random = seeded(seed);
  await using folder = await temporaryFolder();
  const start = () => startServe(folder.path, ["--isolates", String(isolates)]);
  const writers = Array.from({ length: clients }, (_, at) => {
    const own = Array.from({ length: ownKeys }, (_, n) => `doc:w${at}:${n}`);
    return new VersionWriter(own, sharedKeys, seeded(seed + 1 + at));
  });
  const fates = { none: 0, done: 0, lost: 0 };
  let served = await start();
  try {
    const begin = new SpaceHttp(served.url, "versions");
    const askedForAtMs = Date.now();
    await begin.create({ shards: 2 });
    await begin.register("doc:*", { history: { versions: 10_000 } });
    await begin.register("few:*", { history: { versions: 3 } });
    const registeredAtMs = Date.now();
    const few: number[] = [];
    for (let n = 0; n < 5; n++) few.push((await begin.put("few:1", `few ${n}`)).version);
    // So that there is a time before the first version.
    await sleep(50);

    for (let kill = 1; kill <= kills; kill++) {
      const wanted = Math.ceil((versionsWanted * kill) / kills) + random.below(100);
      await writeUntilKilled(served, writers, wanted);
      served = await start();
      const space = new SpaceHttp(served.url, "versions");
      for (const writer of writers) fates[await writer.resolve(space)]++;
    }
    const open = fates.done + fates.lost;
    expect(open, "no kill met a write under way").toBeGreaterThan(0);

    const spaces = served.urls.map((url) => new SpaceHttp(url, "versions"));
    const models = await checkHistories(spaces, writers, {
      askedForAtMs,
      registeredAtMs,
      endMs: Date.now(),
    });
    const versions = models.reduce((sum, { steps }) => sum + steps.length, 0);
    const deletes = models.reduce((sum, { steps }) => sum + steps.filter(isDelete).length, 0);
    expect(models.length).toBe(keys);
    expect(versions).toBeGreaterThanOrEqual(versionsWanted);
    expect(deletes).toBeGreaterThan(versionsWanted / 20);

    await checkVersions(spaces, models);
    const kinds = await checkMoments(spaces, models);
    for (const [kind, count] of Object.entries(kinds)) expect(count, kind).toBeGreaterThan(50);
    expect(Object.keys(kinds), "kinds of moments").toHaveLength(9);
    await checkPresent(spaces, models);
    console.log(
      `versions test: ${versions} versions (${deletes} deletes) of ${keys} keys equal the model, ${kills} kill -9 with ${open} writes of unknown fate (${fates.done} had been done, ${fates.lost} not), ${moments} point-in-time reads: ${JSON.stringify(kinds)}`,
    );

    const [space] = spaces;
    if (space === undefined) throw new Error("no isolate");
    await checkCompacted(space, few);
    for (const model of models.slice(0, 12)) await checkRestore(space, model);
  } finally {
    await served.stop();
  }
}, 240_000);

/** All clients write until they have made `wanted` versions in all; then the runtime is killed while they go on. */
async function writeUntilKilled(
  served: Served,
  writers: readonly VersionWriter[],
  wanted: number,
): Promise<void> {
  const spaces = served.urls.map((url) => new SpaceHttp(url, "versions"));
  let stopped = false;
  let ended = 0;
  const runs = writers.map(async (writer, at) => {
    try {
      return await writer.run(spaces[at % isolates] as SpaceHttp, () => stopped);
    } finally {
      ended++;
    }
  });
  const over = Promise.all(runs);
  over.catch(() => {}); // it is awaited below; until then it must not count as unhandled
  while (ended === 0 && writers.reduce((sum, { changes }) => sum + changes.length, 0) < wanted) {
    await sleep(5);
  }
  const early = ended;
  await served.kill();
  stopped = true;
  const broken = await over;
  expect(early, "clients that ended before the kill").toBe(0);
  expect(broken.filter(Boolean).length, "clients that were cut off").toBeGreaterThan(0);
}

/** The history of each key is what was acknowledged, complete and without more (rules VE3, VE4). Gives the models. */
async function checkHistories(
  spaces: readonly SpaceHttp[],
  writers: readonly VersionWriter[],
  span: Span,
): Promise<KeyModel[]> {
  const made = new Map<string, Change[]>();
  for (const change of writers.flatMap(({ changes }) => changes)) {
    const line = made.get(change.key);
    if (line === undefined) made.set(change.key, [change]);
    else line.push(change);
  }
  const models: KeyModel[] = [];
  await each([...made].sort(), async ([key, changes], at) => {
    const history = await historyOf(spaces[at % isolates] as SpaceHttp, key);
    const alone = !sharedKeys.includes(key);
    models[at] = new KeyModel({ key, made: changes, alone, history, span, facts });
  });
  return models;
}

/** Every version is read by its number; the numbers between, which are other keys' versions, are not this key's. */
async function checkVersions(spaces: readonly SpaceHttp[], models: readonly KeyModel[]): Promise<void> {
  const all = models.flatMap(({ key, steps }) => steps.map((step) => ({ key, ...step })));
  const others = models.flatMap(({ key, steps }) =>
    steps
      .filter(({ version }, at) => at % 20 === 0 && version + 1 < (steps[at + 1]?.version ?? 0))
      .map(({ version }) => ({ key, text: undefined, asked: version + 1, version: 0 })),
  );
  expect(others.length, "numbers of other keys").toBeGreaterThan(100);
  const reads = [...all.map((one) => ({ ...one, asked: one.version })), ...others];
  await each(reads, async ({ key, text, version, asked }, at) => {
    const read = await spaces[at % isolates]?.get(key, `?version=${asked}`);
    expect(read, `${facts}: ${key}, version ${asked}`).toMatchObject({ text, version });
  });
}

/** Reads all keys at random moments; gives how many of each kind. */
async function checkMoments(
  spaces: readonly SpaceHttp[],
  models: readonly KeyModel[],
): Promise<Record<string, number>> {
  const random = seeded(seed);
  const kinds: Record<string, number> = {};
  const reads = Array.from({ length: moments }, (_, at) => {
    const model = models[at % models.length] as KeyModel;
    return { model, ...model.moment(random) };
  });
  await each(reads, async ({ model, atMs, kind, expected }, at) => {
    kinds[kind] = (kinds[kind] ?? 0) + 1;
    const read = await readAt(spaces[at % isolates] as SpaceHttp, model.key, atMs);
    expect(read, `${facts}: ${model.key} at ${atMs}, ${kind}`).toEqual(expected);
    expect(model.at(atMs), `${facts}: the model of ${model.key} itself at ${atMs}`).toEqual(expected);
  });
  return kinds;
}

async function readAt(space: SpaceHttp, key: string, atMs: number): Promise<Expected> {
  try {
    const { text, version } = await space.get(key, `?at=${atMs}`);
    return { text, version };
  } catch (error) {
    if (!(error instanceof Problem) || error.code !== "version_compacted") throw error;
    return { text: undefined, version: 0, compacted: true };
  }
}

/** What is there now is the last version, on every isolate. */
async function checkPresent(spaces: readonly SpaceHttp[], models: readonly KeyModel[]): Promise<void> {
  for (const space of spaces) {
    await each(models, async (model) => {
      const { text, version } = await space.get(model.key);
      expect({ text, version }, `${facts}: ${model.key} now`).toEqual(model.at(Number.POSITIVE_INFINITY));
    });
  }
}

/**
 * Of five versions three are kept: the older ones are told apart from what never was. Nobody wrote between them, so their numbers follow each
 * other.
 */
async function checkCompacted(space: SpaceHttp, versions: readonly number[]): Promise<void> {
  const kept = await historyOf(space, "few:1");
  expect(kept.map(({ version }) => version)).toEqual(versions.slice(2));
  for (const [at, version] of versions.entries()) {
    const read = space.get("few:1", `?version=${version}`);
    if (at >= 2) expect((await read).text).toBe(`few ${at}`);
    else await expect(read).rejects.toMatchObject({ status: 410, code: "version_compacted" });
  }
  const compacted = { text: undefined, version: 0, compacted: true };
  for (const { atMs } of kept) {
    for (const moment of [atMs, atMs - 1]) {
      const at = kept.findLastIndex((one) => one.atMs <= moment);
      const expected = at < 0 ? compacted : { text: `few ${at + 2}`, version: versions[at + 2] };
      expect(await readAt(space, "few:1", moment), `${facts}: at ${moment}`).toEqual(expected);
    }
  }
}

async function checkRestore(space: SpaceHttp, { key, steps }: KeyModel): Promise<void> {
  const oldest = steps.find((step) => !isDelete(step));
  if (oldest === undefined) throw new Error(`${key} never had a value`);
  const { version } = (await space.post(`/restore/${encodeURIComponent(key)}`, {
    version: oldest.version,
  })) as { version: number };
  expect(await space.get(key)).toMatchObject({ text: oldest.text, version });
  const kept = (await historyOf(space, key)).map((one) => one.version);
  expect(kept).toEqual([...steps.map((step) => step.version), version]);
}

function isDelete({ text }: { readonly text: string | undefined }): boolean {
  return text === undefined;
}

/** All kept versions, oldest first. */
async function historyOf(space: SpaceHttp, key: string): Promise<Kept[]> {
  const kept: Kept[] = [];
  for (let before = ""; ; before = `&before=${kept.at(-1)?.version}`) {
    const page = await space.json(`/history/${encodeURIComponent(key)}?limit=50${before}`);
    const { versions, more } = page as { versions: Kept[]; more: boolean };
    kept.push(...versions);
    if (!more) return kept.reverse();
  }
}

/** Does `work` for each of `items`, some at a time. */
async function each<T>(items: readonly T[], work: (item: T, at: number) => Promise<void>): Promise<void> {
  const rest = items.entries();
  const lane = async (): Promise<void> => {
    for (const [at, item] of rest) await work(item, at);
  };
  await Promise.all(Array.from({ length: width }, lane));
}
