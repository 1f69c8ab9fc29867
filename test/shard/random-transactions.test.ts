import { expect, it } from "vitest";
import { host } from "#host";
import type { StoredRegistration } from "../../src/protocol/registration.ts";
import { scopeOpId, type Verdict } from "../../src/protocol/shard-api.ts";
import type {
  Comparison,
  Transaction,
  TransactionOperation,
  TransactionVerdict,
} from "../../src/protocol/transaction.ts";
import { fromUtf8, utf8 } from "../../src/runtime/bytes.ts";
import { uuidv7 } from "../../src/runtime/ids.ts";
import { type Seeded, seeded } from "../support/seeded.ts";
import { expectReply, ShardBed } from "../support/shard-bed.ts";
import { ShardModel, type Told } from "../support/shard-model.ts";

const settings = {
  mode: "eventual",
  cacheTtlMs: 1_000,
  maxStalenessMs: 1_000,
  history: { versions: 10_000 },
} as const;
const statics: readonly StoredRegistration[] = [
  { pattern: "{a}*", settings, version: 0, source: "static" },
  { pattern: "{a}n*", settings: { ...settings, merge: "sum" }, version: 0, source: "static" },
];
const keys = ["{a}0", "{a}1", "{a}2", "{a}3", "{a}n0", "{a}n1"];
const steps = host.name === "node" ? 2_000 : 300;

type Write = Exclude<TransactionOperation, { kind: "get" }>;

function randomWrite(random: Seeded, key: string): Write {
  const text = random.below(8) === 0 ? "word" : String(random.below(20));
  const payload = { bytes: utf8(text), contentType: "text/plain" };
  const when = random.pick([undefined, undefined, undefined, { anyOf: "*" }, { noneOf: "*" }] as const);
  const life = random.below(5) === 0 ? { expiresInMs: 1 + random.below(400) } : {};
  const rest = { key, ...life, ...(when === undefined ? {} : { when }) };
  const kind = random.below(10);
  if (kind < 2) return { kind: "delete", key, ...(when === undefined ? {} : { when }) };
  if (kind < 4) return { kind: "merge", operand: payload, ...rest };
  return { kind: "set", payload, ...rest, ...(random.below(4) === 0 ? { replace: true } : {}) };
}

function randomBranch(random: Seeded): TransactionOperation[] {
  const free = [...keys];
  return Array.from({ length: random.below(5) }, () => {
    if (random.below(4) === 0) return { kind: "get", key: random.pick(keys) } as const;
    const [key = ""] = free.splice(random.below(free.length), 1);
    return randomWrite(random, key);
  });
}

function randomComparison(random: Seeded, model: ShardModel): Comparison {
  const key = random.pick(keys);
  const version =
    random.below(2) === 0 ? (model.keys.get(key)?.version ?? 0) : random.below(model.revision + 2);
  return random.pick<Comparison>([
    { key, version },
    { key, version, is: random.pick(["equal", "notEqual", "less", "greater"] as const) },
    { key, exists: model.keys.has(key) },
    { key, exists: random.below(2) === 0 },
    { key, value: utf8(model.keys.get(key)?.text ?? "0") },
    { key, when: random.below(2) === 0 ? { anyOf: "*" } : { noneOf: "*" } },
  ]);
}

/** The shard's answer in the model's words. */
function short(verdict: TransactionVerdict): Told {
  if (verdict.outcome === "fail") return { fail: verdict.error.code };
  const { succeeded, revision, results } = verdict;
  return {
    succeeded,
    revision,
    results: results.map((result) => {
      if (result.kind !== "get") return [result.version, result.existed];
      return result.entry === null ? null : fromUtf8(result.entry.payload.bytes);
    }),
  };
}

function shortOfOne(verdict: Verdict): Told {
  if (verdict.outcome === "fail") return { fail: verdict.error.code };
  return { succeeded: true, revision: verdict.revision, results: [[verdict.version, verdict.existed]] };
}

it.each([1, 2, 3])(
  "TX1 TX2 ME1 OU2 random transactions do what the model does, over restarts (seed %i)",
  { timeout: 60_000 },
  (seed) =>
    host.withSql(async (sql) => {
      const random = seeded(seed);
      const bed = await new ShardBed(sql, { statics }, seed).create();
      const model = new ShardModel();
      const sent: Transaction[] = [];
      const opId = () => scopeOpId("test", uuidv7({ now: () => bed.nowMs }, random));
      for (let step = 0; step < steps; step++) {
        const where = `seed ${seed}, step ${step}`;
        bed.nowMs += random.below(40);
        if (random.below(50) === 0) bed.restart();
        if (random.below(4) === 0) {
          const mutation = { ...randomWrite(random, random.pick(keys)), opId: opId() };
          const { verdicts } = await bed.mutate(mutation);
          expect(shortOfOne(verdicts[0] as Verdict), where).toEqual(model.mutate(mutation, bed.nowMs));
          continue;
        }
        const compare = Array.from({ length: random.below(3) }, () => randomComparison(random, model));
        const made = { opId: opId(), compare, success: randomBranch(random), failure: randomBranch(random) };
        const transaction = random.below(10) === 0 ? (sent.at(-1 - random.below(5)) ?? made) : made;
        if (transaction === made) sent.push(made);
        const { verdict } = expectReply(await bed.shard.transact({ ...bed.scope(), transaction }));
        expect(short(verdict), where).toEqual(model.transact(transaction, bed.nowMs));
        expect(verdict.replayed === true, where).toBe(transaction !== made);
        if (step % 20 !== 0) continue;
        const { entries, asOf } = await bed.read(...keys);
        const held = entries.map((entry) =>
          entry === null ? null : [entry.version, fromUtf8(entry.payload.bytes)],
        );
        const wanted = keys
          .map((key) => model.keys.get(key))
          .map((one) => (one ? [one.version, one.text] : null));
        expect(held, where).toEqual(wanted);
        expect(asOf, where).toBe(model.revision);
      }
      const { epoch } = await bed.read();
      const log = expectReply(await bed.shard.changes({ ...bed.scope(), epoch, since: 0, limit: 10_000 }));
      expect(log.changes.map(({ revision, kind, key }) => `${revision} ${kind} ${key}`)).toEqual(model.log);
      for (const key of keys) {
        const page = { ...bed.scope(), key, limit: 1_000 };
        const kept: string[] = [];
        for (let before: number | undefined; ; ) {
          const reply = expectReply(
            await bed.shard.history({ ...page, ...(before === undefined ? {} : { before }) }),
          );
          kept.unshift(...reply.versions.map(({ version, kind }) => `${version} ${kind}`).reverse());
          before = reply.versions.at(-1)?.version;
          if (!reply.more) break;
        }
        expect(kept, `seed ${seed}, ${key}`).toEqual(model.versions.get(key));
      }
    }),
);
