import { describe, expect, it } from "vitest";
import { isWarpError, type WarpError } from "../../src/errors.ts";
import type { Fallback, PlacedProposal, Proposal, SpaceNotice } from "../../src/fallback/fallback.ts";
import { comparePlaces } from "../../src/fallback/place.ts";
import { type Mutation, scopeOpId } from "../../src/protocol/operation.ts";
import { utf8 } from "../../src/runtime/bytes.ts";
import { uuidv7 } from "../../src/runtime/ids.ts";
import type { ManualTime } from "../support/manual-time.ts";
import { seeded } from "../support/seeded.ts";

/** A driver under test, with a storage that several of its instances share. */
export interface FallbackBed {
  /** The storage's clock. */
  readonly time: ManualTime;
  /** Another way to the same space, as another node has it. */
  readonly open: () => Fallback;
  /** To another space in the same database. */
  readonly elsewhere: () => Fallback;
  /** The answer of the next append is lost, though it was carried out. */
  readonly loseAnswer: () => Promise<void>;
  /** Nothing reaches the storage any more until the answer is called. */
  readonly cut: () => Promise<() => Promise<void>>;
}

export interface FallbackContract {
  readonly name: string;
  /** Runs `work` on a bed with room for `maxProposals` of one shard. */
  readonly run: (
    work: (bed: FallbackBed) => Promise<void>,
    bounds?: { readonly maxProposals?: number },
  ) => Promise<void>;
}

const random = seeded(5);

/** A proposal by the time of the bed, with an op id of its own. */
export function proposalOf(time: ManualTime, mutation: Partial<Mutation> = {}): Proposal {
  const opId = scopeOpId("subject", uuidv7(time, random));
  const set = { kind: "set", opId, key: "k", payload: { bytes: utf8("v"), contentType: "text/plain" } };
  const { kind = "set" } = mutation;
  const whole = (kind === "set" ? { ...set, ...mutation } : { opId, key: "k", ...mutation }) as Mutation;
  return { mutation: whole, spaceId: "5ace", registrations: 7, node: "node-1", atMs: time.now() };
}

/** What every driver of the fallback's stream must do. */
export function fallbackContract({ name, run }: FallbackContract): void {
  describe(`fallback contract: ${name}`, () => {
    it("SB8 proposals come back as they were, in the order of their places", () =>
      run(async ({ time, open }) => {
        const [one, other] = [open(), open()];
        const payload = { bytes: Uint8Array.of(0, 255, 10, 13, 128, 195), contentType: 'a/b; c="ü"' };
        const first = [
          proposalOf(time, {
            kind: "set",
            key: "ключ 🙂\u0000",
            payload,
            expiresInMs: 5_000,
            tags: ["a", "ü,;"],
          }),
          proposalOf(time, { kind: "set", key: "__proto__", payload, replace: true }),
          proposalOf(time, { kind: "delete" }),
        ];
        const second = [proposalOf(time, { kind: "merge", operand: payload, expiresInMs: 1, tags: [] })];
        const places = [...(await one.append(3, first)), ...(await other.append(3, second))];
        expect([...places].sort(comparePlaces)).toEqual(places);
        expect(new Set(places).size).toBe(4);
        const page = await other.read(3, undefined, 500);
        const placed = [...first, ...second].map((proposal, at) => ({ ...proposal, place: places[at] }));
        expect(page).toEqual({ proposals: placed, head: places[3] });
        // A shard's stream is its own.
        expect(await one.read(2, undefined, 500)).toEqual({ proposals: [] });
      }));

    it("AD3 spaces that share a database have streams and notices of their own", () =>
      run(async ({ time, open, elsewhere }) => {
        await open().append(0, [proposalOf(time)]);
        await open().announce(noticeOf(1, 1));
        expect(await elsewhere().read(0, undefined, 1)).toEqual({ proposals: [] });
        expect(await elsewhere().notice()).toBeUndefined();
      }));

    it("SB8 a reader goes on after any place, also in the middle of an append, and gets each proposal once", () =>
      run(async ({ time, open }) => {
        const fallback = open();
        const sent: Proposal[] = [];
        for (const count of [1, 7, 3, 12, 1]) {
          const batch = Array.from({ length: count }, () => proposalOf(time));
          sent.push(...batch);
          await fallback.append(0, batch);
          if (count === 3) time.advance(5);
        }
        for (const limit of [1, 2, 5, 500]) {
          const got = await all(fallback, 0, limit);
          expect(got.map(({ mutation }) => mutation.opId)).toEqual(sent.map(({ mutation }) => mutation.opId));
        }
      }));

    it("SB8 an append that is repeated gives the first places, and puts nothing twice", () =>
      run(async ({ time, open }) => {
        const fallback = open();
        const [a, b, c] = [proposalOf(time), proposalOf(time), proposalOf(time)];
        const [first, second] = await fallback.append(0, [a, b]);
        time.advance(1_000);
        expect(await fallback.append(0, [a, b])).toEqual([first, second]);
        const [again, third, twice] = await open().append(0, [b, c, c]);
        expect([again, twice]).toEqual([second, third]);
        expect((await all(fallback, 0)).map(({ place }) => place)).toEqual([first, second, third]);
      }));

    it("SB8 what became of an append whose answer was lost is unknown, and a repetition finds out", () =>
      run(async ({ time, open, loseAnswer }) => {
        const fallback = open();
        const proposal = proposalOf(time);
        await loseAnswer();
        const error = await failure(fallback.append(0, [proposal]));
        expect(error).toMatchObject({ code: "storage_unavailable", outcome: "unknown", retryable: true });
        const places = await fallback.append(0, [proposal]);
        expect(await all(fallback, 0)).toEqual([{ ...proposal, place: places[0] }]);
      }));

    it("AD4 a storage that can't be reached is an error of every call, never an empty stream", () =>
      run(async ({ time, open, cut }) => {
        const fallback = open();
        const places = await fallback.append(0, [proposalOf(time)]);
        const mend = await cut();
        const lost = { code: expect.stringMatching(/^storage_(unavailable|timeout)$/), retryable: true };
        const limits = { timeoutMs: 1_000 };
        expect(await failure(fallback.read(0, undefined, 1, limits))).toMatchObject({
          ...lost,
          outcome: "fail",
        });
        expect(await failure(fallback.notice(limits))).toMatchObject({ ...lost, outcome: "fail" });
        for (const call of [
          fallback.append(0, [proposalOf(time)], limits),
          fallback.trim(0, places[0] ?? "", limits),
          fallback.announce(noticeOf(1, 1), limits),
          fallback.clear(0, limits),
        ].map(failure)) {
          expect(await call).toMatchObject({ ...lost, outcome: "unknown" });
        }
        await mend();
        expect(await all(fallback, 0)).toHaveLength(1);
      }));

    it("SB8 what is trimmed is gone, what is not stays, and the head is still told", () =>
      run(async ({ time, open }) => {
        const fallback = open();
        const batch = Array.from({ length: 5 }, () => proposalOf(time));
        const places = await fallback.append(0, batch);
        const [, , third = "", , fifth = ""] = places;
        await fallback.trim(0, third);
        expect(await fallback.read(0, third, 500)).toMatchObject({ head: fifth, applied: third });
        expect((await fallback.read(0, third, 500)).proposals.map(({ place }) => place)).toEqual(
          places.slice(3),
        );
        await fallback.trim(0, fifth);
        expect(await fallback.read(0, undefined, 500)).toEqual({
          proposals: [],
          head: fifth,
          applied: fifth,
        });
        // From before the storage lost its tail.
        await fallback.trim(0, fifth.replace(/-\d+$/, "-99"));
        await fallback.trim(7, fifth);
        expect(await fallback.read(0, fifth, 500)).toEqual({ proposals: [], head: fifth, applied: fifth });
        expect(await fallback.read(7, undefined, 500)).toEqual({ proposals: [] });
        // Never backwards, and as often as one likes.
        await fallback.trim(0, third);
        await fallback.trim(0, fifth);
        expect(await fallback.read(0, fifth, 500)).toEqual({ proposals: [], head: fifth, applied: fifth });
        const [next = ""] = await fallback.append(0, [proposalOf(time)]);
        expect(comparePlaces(next, fifth)).toBeGreaterThan(0);
        expect((await fallback.read(0, fifth, 500)).proposals).toHaveLength(1);
        // What was applied and is proposed again has another place: the shard knows its op id.
        const [again = ""] = await fallback.append(0, batch.slice(0, 1));
        expect(comparePlaces(again, next)).toBeGreaterThan(0);
      }));

    it("SB8 places grow though the storage's clock runs back", () =>
      run(async ({ time, open }) => {
        const fallback = open();
        const places: string[] = [];
        for (const step of [0, -30_000, 5, 60_000]) {
          // A clock that runs back is one that others were ahead of.
          if (step > 0) time.advance(step);
          else time.set(time.now() + step);
          places.push(...(await fallback.append(0, [proposalOf(time), proposalOf(time)])));
          if (step === 5) await fallback.trim(0, places.at(-1) ?? "");
        }
        expect([...places].sort(comparePlaces)).toEqual(places);
        expect(new Set(places).size).toBe(places.length);
      }));

    it("SB8 a full stream refuses, and drops nothing to make room", () =>
      run(
        async ({ time, open }) => {
          const fallback = open();
          const kept = Array.from({ length: 450 }, () => proposalOf(time));
          const places = await fallback.append(0, kept);
          const more = Array.from({ length: 60 }, () => proposalOf(time));
          const refused = await failure(fallback.append(0, more));
          expect(refused).toMatchObject({ code: "overloaded", outcome: "fail", retryable: true });
          // All or none.
          expect(await all(fallback, 0)).toHaveLength(450);
          // What is there already needs no room, and other shards have their own.
          expect(await fallback.append(0, kept.slice(0, 100))).toEqual(places.slice(0, 100));
          await fallback.append(1, more);
          await fallback.append(0, more.slice(0, 50));
          await failure(fallback.append(0, more.slice(50)));
          await fallback.trim(0, places[449] ?? "");
          expect(await fallback.append(0, more)).toHaveLength(60);
        },
        { maxProposals: 500 },
      ));

    it("SB8 an append that comes after its op id's window is not taken", () =>
      run(async ({ time, open }) => {
        const fallback = open();
        const [late, kept] = [proposalOf(time), proposalOf(time)];
        const [place] = await fallback.append(0, [kept]);
        time.advance(301_000);
        const error = await failure(fallback.append(0, [proposalOf(time), late]));
        expect(error).toMatchObject({ code: "op_id_expired", outcome: "fail", retryable: false });
        // What is there is there.
        expect(await fallback.append(0, [kept])).toEqual([place]);
        expect(await all(fallback, 0)).toHaveLength(1);
        const ahead = proposalOf(time);
        time.set(time.now() - 120_000);
        expect(await failure(fallback.append(0, [ahead]))).toMatchObject({ code: "invalid_op_id" });
      }));

    it("SB8 only what is unconditional can be proposed", () =>
      run(async ({ time, open }) => {
        const fallback = open();
        const wrong: readonly [Partial<Mutation>, string][] = [
          [{ kind: "set", when: { noneOf: "*" } }, "unsupported"],
          [{ kind: "set", guard: { lock: "l", fence: 1 } }, "unsupported"],
          [{ kind: "set", lease: "l" }, "unsupported"],
          [{ kind: "delete", when: { anyOf: "*" } }, "unsupported"],
          [{ kind: "restore", version: 3 }, "unsupported"],
          [{ kind: "invalidate" }, "unsupported"],
          [{ opId: "none" }, "invalid_op_id"],
        ];
        for (const [mutation, code] of wrong) {
          const refused = failure(fallback.append(0, [proposalOf(time), proposalOf(time, mutation)]));
          expect(await refused).toMatchObject({ code, outcome: "fail" });
        }
        const many = Array.from({ length: 501 }, () => proposalOf(time));
        expect(await failure(fallback.append(0, many))).toMatchObject({ code: "batch_too_large" });
        for (const call of [
          fallback.append(0, []),
          fallback.append(-1, [proposalOf(time)]),
          fallback.read(0, undefined, 0),
          fallback.read(0, undefined, 501),
          fallback.read(0, "12", 1),
          fallback.trim(0, "1-2-3"),
        ].map(failure)) {
          expect(await call).toMatchObject({ code: "invalid_argument", outcome: "fail" });
        }
        expect(await fallback.read(0, undefined, 1)).toEqual({ proposals: [] });
      }));

    it("AD5 500 proposals in one append, and values at the limit", () =>
      run(async ({ time, open }) => {
        const fallback = open();
        const many = Array.from({ length: 500 }, (_, at) =>
          proposalOf(time, { key: `${"k".repeat(500)}${at}` }),
        );
        await fallback.append(0, many);
        const large = Array.from({ length: 4 }, (_, at) =>
          proposalOf(time, { payload: { bytes: new Uint8Array(1_048_576).fill(at), contentType: "a/b" } }),
        );
        await fallback.append(0, large);
        await fallback.append(0, [proposalOf(time)]);
        const got = await all(fallback, 0, 500);
        expect(got.map(({ mutation }) => mutation)).toEqual(
          [...many, ...large]
            .map(({ mutation }) => mutation)
            .concat(got.slice(-1).map(({ mutation }) => mutation)),
        );
        // A page ends where it would grow beyond what one answer takes.
        const afterMany = got[499]?.place;
        const { proposals, gap, lost } = await fallback.read(0, afterMany, 500);
        expect(proposals.length).toBeLessThan(5);
        expect([proposals.length > 0, gap, lost]).toEqual([true, undefined, undefined]);
      }));

    it("SB8 a place that the stream has never given is told as a loss, one that was trimmed is not", () =>
      run(async ({ time, open }) => {
        const fallback = open();
        expect(await fallback.read(0, "5-0", 1)).toMatchObject({ proposals: [], lost: true });
        const [a = ""] = await fallback.append(0, [proposalOf(time)]);
        time.advance(10);
        const [b = ""] = await fallback.append(0, [proposalOf(time)]);
        for (const known of [a, b]) expect(await fallback.read(0, known, 1)).not.toHaveProperty("lost");
        const between = `${Number(a.split("-")[0]) + 1}-0`;
        expect(await fallback.read(0, between, 1)).toMatchObject({ lost: true });
        expect(await fallback.read(0, b.replace("-0", "-9"), 1)).toMatchObject({ lost: true });
        await fallback.trim(0, b);
        expect(await fallback.read(0, a, 1)).toEqual({ proposals: [], head: b, applied: b });
      }));

    it("SB8 the newest notice stands, whatever order they come in, and is taken back for good", () =>
      run(async ({ open }) => {
        const fallback = open();
        expect(await fallback.notice()).toBeUndefined();
        await fallback.announce(noticeOf(100, 5));
        await fallback.announce(noticeOf(100, 7));
        await fallback.announce(noticeOf(100, 6));
        await fallback.announce(noticeOf(99, 50));
        expect(await open().notice()).toEqual(noticeOf(100, 7));
        await fallback.announce(undefined);
        await fallback.announce(undefined);
        expect(await open().notice()).toBeUndefined();
        // Told before it was taken back, and late.
        await fallback.announce(noticeOf(100, 8));
        expect(await fallback.notice()).toBeUndefined();
        await fallback.announce(noticeOf(101, 0));
        expect(await fallback.notice()).toEqual(noticeOf(101, 0));
      }));

    it("SB8 a deleted space's streams are gone, and a new life begins with none", () =>
      run(async ({ time, open }) => {
        const fallback = open();
        const [place = ""] = await fallback.append(0, [proposalOf(time), proposalOf(time)]);
        await fallback.append(1, [proposalOf(time)]);
        await fallback.trim(0, place);
        await fallback.clear(0);
        await fallback.clear(0);
        expect(await fallback.read(0, undefined, 1)).toEqual({ proposals: [] });
        expect(await all(fallback, 1)).toHaveLength(1);
        await fallback.append(0, [proposalOf(time)]);
        expect(await all(fallback, 0)).toHaveLength(1);
      }));

    it("CO10 what is under way ends with the driver, and calls after it are refused", () =>
      run(async ({ time, open }) => {
        const [fallback, other] = [open(), open()];
        const going = failure(fallback.read(0, undefined, 1));
        fallback.close();
        fallback.close();
        expect((await going).code).toBe("warp_closed");
        expect(await failure(fallback.append(0, [proposalOf(time)]))).toMatchObject({ code: "warp_closed" });
        expect(await other.read(0, undefined, 1)).toEqual({ proposals: [] });
        const left = AbortSignal.abort("enough");
        const gone = await failure(other.append(0, [proposalOf(time)], { signal: left }));
        expect(gone).toMatchObject({ code: "aborted", outcome: "fail" });
      }));
  });
}

function noticeOf(createdAtMs: number, registrations: number): SpaceNotice {
  const space = { name: "s", id: "5ace", shards: 2, strict: false, createdAtMs, fallback: "ü" };
  const settings = { mode: "eventual", cacheTtlMs: 1_000, maxStalenessMs: 5_000 } as const;
  return {
    space,
    registrations,
    list: [{ pattern: "ü*", settings, version: registrations, source: "space" }],
  };
}

async function all(fallback: Fallback, shard: number, limit = 500): Promise<readonly PlacedProposal[]> {
  const got: PlacedProposal[] = [];
  for (;;) {
    const page = await fallback.read(shard, got.at(-1)?.place, limit);
    expect(page.gap).toBeUndefined();
    expect(page.lost).toBeUndefined();
    expect(page.proposals.length).toBeLessThanOrEqual(limit);
    got.push(...page.proposals);
    if (page.head === undefined || page.head === got.at(-1)?.place || page.proposals.length === 0) return got;
  }
}

async function failure(work: Promise<unknown>): Promise<WarpError> {
  const error = await work.then(
    (answer) => new Error(`it answered ${JSON.stringify(answer)}`),
    (cause: unknown) => cause,
  );
  if (isWarpError(error)) return error;
  throw error;
}
