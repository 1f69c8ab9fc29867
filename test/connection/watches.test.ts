import { describe, expect, it } from "vitest";
import type { ShardWatch, ShardWatchListener } from "../../src/connection/watching.ts";
import type { WarpError } from "../../src/errors.ts";
import type { WatchFilter } from "../../src/protocol/watch.ts";
import type { ServerFrame } from "../../src/protocol/wire/frames.ts";
import type { WatchStart, WireEvent } from "../../src/protocol/wire/watch-frames.ts";
import { fromUtf8, toBase64, utf8 } from "../../src/runtime/bytes.ts";
import { epoch } from "./fake-hub.ts";
import { socketBed } from "./socket-bed.ts";

type Bed = ReturnType<typeof socketBed>;

const all = (prefix: string): WatchFilter => ({ target: { prefix }, mode: "all" });
const set = (revision: number, key: string, value = "v"): WireEvent => [
  revision,
  "set",
  key,
  revision,
  "text/plain",
  toBase64(utf8(value)),
];
const we = (after: number, to: number, es: readonly WireEvent[], id?: number): ServerFrame => ({
  t: "we",
  epoch,
  after,
  to,
  es,
  ...(id === undefined ? {} : { id }),
});

/** What a watch heard, in order. */
class Ear implements ShardWatchListener {
  readonly all: string[] = [];
  failure: WarpError | undefined;

  begun({ revision }: { readonly revision: number }): void {
    this.all.push(`begun ${revision}`);
  }

  events(...[events, to]: Parameters<ShardWatchListener["events"]>): void {
    const texts = events.map(({ revision, kind, key, payload }) => {
      const value = payload === undefined ? "" : `=${fromUtf8(payload.bytes)}`;
      return `${revision} ${kind} ${key}${value}`;
    });
    this.all.push(`${texts.join(", ")} to ${to?.revision}`.trim());
  }

  state(...[keys, first, to]: Parameters<ShardWatchListener["state"]>): void {
    this.all.push(`[${keys.map(({ key }) => key).join(" ")}] ${first ? "first " : ""}to ${to?.revision}`);
  }

  gap(why: string): void {
    this.all.push(`gap ${why}`);
  }

  missed(): void {
    this.all.push("missed");
  }

  failed(error: WarpError): void {
    this.failure = error;
  }

  news(): string[] {
    return this.all.splice(0);
  }
}

/** A watch over a socket that is open. */
async function open(
  bed: Bed,
  filter: WatchFilter,
  from: WatchStart = "now",
  shard = 0,
): Promise<{ readonly ear: Ear; readonly watch: ShardWatch; readonly id: number }> {
  const ear = new Ear();
  const watch = bed.connection.watching.watch(shard, filter, from, ear);
  await bed.clock.advance(5);
  const id = bed.hub.last.of("sub").at(-1)?.id ?? -1;
  return { ear, watch, id };
}

async function say(bed: Bed, ...frames: readonly ServerFrame[]): Promise<void> {
  for (const frame of frames) bed.hub.last.send(frame);
  await bed.clock.advance(5);
}

describe("watches over a socket", () => {
  it("a watch connects, and says what it wants and from where", async () => {
    const bed = socketBed();
    await open(bed, { target: { key: "a" }, mode: "keys", ops: ["set"] });
    await open(bed, all("p"), { epoch, revision: 7 });
    expect(bed.hub.sessions).toHaveLength(1);
    expect(bed.hub.last.of("sub")).toEqual([
      { t: "sub", id: 1, key: "a", mode: "keys", ops: ["set"], from: "now" },
      { t: "sub", id: 2, prefix: "p", mode: "all", from: { epoch, revision: 7 } },
    ]);
  });

  it("frames of all are for those that are live and want them; what a watch waits for comes under its number", async () => {
    const bed = socketBed();
    const one = await open(bed, all("a"));
    const two = await open(bed, all(""), { epoch, revision: 1 });
    await say(
      bed,
      { t: "on", id: one.id, epoch, revision: 3, live: true },
      { t: "on", id: two.id, epoch, revision: 1 },
      we(3, 5, [set(4, "a1"), set(5, "b")]),
      we(1, 5, [set(2, "x"), set(4, "a1")], two.id),
      { t: "on", id: two.id, epoch, revision: 5, live: true },
      we(4, 6, [set(5, "b"), set(6, "a2")]),
      we(6, 9, []),
    );
    expect(one.ear.news()).toEqual(["begun 3", "4 set a1=v to 5", "6 set a2=v to 6", "to 9"]);
    expect(two.ear.news()).toEqual(["begun 1", "2 set x=v, 4 set a1=v to 5", "6 set a2=v to 6", "to 9"]);
  });

  it("WA2 the next session goes on from where each watch was; one whose state was not whole begins it again", async () => {
    const bed = socketBed();
    const live = await open(bed, all(""));
    const state = await open(bed, all("s"), "snapshot");
    await say(
      bed,
      { t: "on", id: live.id, epoch, revision: 3, live: true },
      { t: "on", id: state.id, epoch, revision: 3 },
      { t: "snap", id: state.id, epoch, to: 3, es: [["s1", 1, "text/plain", ""]], first: true },
      we(3, 8, [set(7, "k")]),
    );
    expect(state.ear.news()).toEqual(["[s1] first to undefined"]);
    bed.wire.cut();
    await bed.clock.advance(1_000);
    // Publications may pass until it is taken up again: only then it is told so.
    expect(live.ear.news()).toEqual(["begun 3", "7 set k=v to 8"]);
    expect(bed.hub.sessions).toHaveLength(2);
    expect(bed.hub.last.of("sub").map(({ id, from }) => [id, from])).toEqual([
      [live.id, { epoch, revision: 8 }],
      [state.id, "snapshot"],
    ]);
    await say(
      bed,
      // Of others: what this one waits for may lie before it.
      we(9, 10, [set(10, "s3")]),
      { t: "on", id: live.id, epoch, revision: 8, live: true },
      { t: "on", id: state.id, epoch, revision: 8 },
      { t: "snap", id: state.id, epoch, to: 8, es: [], first: true, done: true },
    );
    expect(live.ear.news()).toEqual(["missed"]);
    expect(state.ear.news()).toEqual(["missed", "[] first to 8"]);
    bed.wire.cut();
    await bed.clock.advance(2_000);
    expect(bed.hub.last.of("sub").map(({ from }) => from)).toEqual([
      { epoch, revision: 8 },
      { epoch, revision: 8 },
    ]);
  });

  it("a gap leads to the state, also at the next session", async () => {
    const bed = socketBed();
    const { ear, id } = await open(bed, all(""), { epoch, revision: 1 });
    await say(bed, { t: "on", id, epoch, revision: 1 }, { t: "gap", id, epoch, to: 90, why: "compacted" });
    expect(ear.news()).toEqual(["begun 1", "gap compacted"]);
    bed.wire.cut();
    await bed.clock.advance(1_000);
    expect(bed.hub.last.of("sub")).toMatchObject([{ from: "snapshot" }]);
  });

  it("X-21 a publication that the log does not keep is for those that have begun and want it; of one to a prefix those who watch prefixes hear from shard 0 alone", async () => {
    const bed = socketBed();
    const msg: ServerFrame = {
      t: "msg",
      es: [
        ["publish", "ab", "text/plain", toBase64(utf8("1"))],
        ["publishPrefix", "a", "text/plain", toBase64(utf8("2"))],
      ],
    };
    for (const shard of [0, 1]) {
      const key = await open(bed, { target: { key: "ab" }, mode: "all" }, "now", shard);
      const prefix = await open(bed, all("a"), "now", shard);
      const none = await open(bed, { ...all("a"), ops: ["set"] }, "now", shard);
      const early = await open(bed, all("a"), "now", shard);
      for (const { id } of [key, prefix, none]) {
        await say(bed, { t: "on", id, epoch, revision: 3, live: true });
      }
      await say(bed, msg, { t: "missed", n: 4 });
      const both = ["begun 3", "3 publish ab=1 to 3", "3 publishPrefix a=2 to 3", "missed"];
      expect(key.ear.news()).toEqual(both);
      expect(prefix.ear.news()).toEqual(shard === 0 ? both : both.filter((text) => !text.includes("Prefix")));
      expect(none.ear.news()).toEqual(["begun 3"]);
      expect(early.ear.news()).toEqual([]);
    }
  });

  it("a publication that the log does not keep is also for those that still catch up: from where they have begun nothing is left out in silence", async () => {
    const bed = socketBed();
    const replay = await open(bed, all("a"), { epoch, revision: 1 });
    const state = await open(bed, all("a"), "snapshot");
    const msg: ServerFrame = { t: "msg", es: [["publish", "ab", "text/plain", toBase64(utf8("1"))]] };
    await say(
      bed,
      { t: "on", id: replay.id, epoch, revision: 1 },
      { t: "on", id: state.id, epoch, revision: 9 },
      msg,
      { t: "snap", id: state.id, epoch, to: 9, es: [["a1", 1, "text/plain", ""]], first: true },
      msg,
      we(1, 9, [set(2, "ab")], replay.id),
    );
    const text = "publish ab=1";
    expect(replay.ear.news()).toEqual(["begun 1", `1 ${text} to 1`, `1 ${text} to 1`, "2 set ab=v to 9"]);
    expect(state.ear.news()).toEqual(["[a1] first to undefined", `0 ${text} to undefined`]);
  });

  it("a watch that pauses goes on later from where it was, under another number; late words are nobody's", async () => {
    const bed = socketBed();
    const { ear, watch, id } = await open(bed, all(""));
    expect(watch.pause()).toBe(false);
    await say(bed, { t: "on", id, epoch, revision: 3, live: true }, we(3, 4, [set(4, "a")]));
    expect(watch.pause()).toBe(true);
    await say(bed, we(4, 5, [set(5, "b")]));
    expect(bed.hub.last.of("unsub")).toEqual([{ t: "unsub", id }]);
    watch.resume();
    await say(bed, { t: "on", id, epoch, revision: 5, live: true }, we(5, 6, [set(6, "c")]));
    const again = bed.hub.last.of("sub").at(-1);
    expect(again).toMatchObject({ from: { epoch, revision: 4 } });
    expect(again?.id).not.toBe(id);
    expect(ear.news()).toEqual(["begun 3", "4 set a=v to 4"]);
    await say(
      bed,
      { t: "on", id: again?.id ?? 0, epoch, revision: 4 },
      we(4, 6, [set(5, "b"), set(6, "c")], again?.id),
    );
    expect(ear.news()).toEqual(["missed", "5 set b=v, 6 set c=v to 6"]);
    watch.end();
    await say(bed, we(6, 7, [set(7, "d")], again?.id));
    expect(ear.news()).toEqual([]);
    expect(bed.hub.last.of("unsub").at(-1)).toEqual({ t: "unsub", id: again?.id });
  });

  it("a watch keeps its socket though nobody calls, and connects again when the shard was idle or asks to be left", async () => {
    const bed = socketBed();
    const { id } = await open(bed, all(""));
    await say(bed, { t: "on", id, epoch, revision: 3, live: true });
    await bed.clock.advance(300_000);
    expect(bed.hub.sessions).toHaveLength(1);
    bed.hub.last.end.close(4102, "idle");
    await bed.clock.advance(1_000);
    expect(bed.hub.sessions).toHaveLength(2);
    await say(bed, { t: "go", withinMs: 50 });
    await bed.clock.advance(1_000);
    expect(bed.hub.sessions).toHaveLength(3);
    expect(bed.hub.last.of("sub")).toMatchObject([{ from: { epoch, revision: 3 } }]);
  });

  it("what can't be is told and ends it: a refused watch, a refused connection, a space that is gone", async () => {
    const bed = socketBed();
    const { ear, id } = await open(bed, all(""));
    const error = { code: "forbidden", message: "no", outcome: "fail", retryable: false } as const;
    await say(bed, { t: "end", id, e: error });
    expect(ear.failure).toMatchObject({ code: "forbidden" });
    for (const [code, reason, told] of [
      [4003, "token_expired", "token_expired"],
      [4010, "", "space_not_found"],
    ] as const) {
      const other = await open(bed, all(""));
      bed.hub.last.end.close(code, reason);
      await bed.clock.advance(60_000);
      expect(other.ear.failure).toMatchObject({ code: told, outcome: "fail" });
    }
    const last = await open(bed, all(""));
    await bed.connection.close();
    expect(last.ear.failure).toMatchObject({ code: "warp_closed" });
  });

  it("a frame that can't be taken ends the session, and the next one tells it again", async () => {
    const bed = socketBed();
    const { ear, id } = await open(bed, all(""));
    await say(bed, { t: "on", id, epoch, revision: 3, live: true });
    await say(bed, we(3, 4, [[4, "set", "a", 4, "text/plain", "not base64!"]]));
    expect(bed.hub.last.closed).toBeDefined();
    await bed.clock.advance(1_000);
    expect(bed.hub.last.of("sub")).toMatchObject([{ from: { epoch, revision: 3 } }]);
    expect(ear.failure).toBeUndefined();
  });
});
