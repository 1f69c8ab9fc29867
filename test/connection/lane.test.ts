import { describe, expect, it } from "vitest";
import { Lane } from "../../src/connection/rpc/lane.ts";
import { virtualClock } from "../support/virtual-clock.ts";

interface Sent {
  readonly requests: readonly string[];
  readonly end: (settled?: Partial<Record<string, Error>>) => void;
  readonly fail: (error: Error) => void;
}

function bed(
  options: { maxInFlight?: number; maxRequests?: number; maxBytes?: number; lostAfterMs?: number } = {},
) {
  const clock = virtualClock(1_000);
  const sent: Sent[] = [];
  const held: Promise<unknown>[] = [];
  const message = (requests: readonly string[]) =>
    new Promise<PromiseSettledResult<string>[]>((resolve, reject) => {
      sent.push({
        requests,
        end: (errors = {}) =>
          resolve(
            requests.map((request) => {
              const reason = errors[request];
              return reason === undefined
                ? { status: "fulfilled", value: `re:${request}` }
                : { status: "rejected", reason };
            }),
          ),
        fail: reject,
      });
    });
  const lane = new Lane<string, string>({
    send: async (request) => {
      const [end] = await message([request]);
      if (end?.status === "fulfilled") return end.value;
      throw end?.reason;
    },
    sendMany: message,
    background: { run: (work) => void held.push(work) },
    clock,
    sizeOf: (request) => request.length,
    maxInFlight: 2,
    ...options,
  });
  return { lane, sent, held, clock };
}

describe("lane", () => {
  it("sends at once while there is room, and what came meanwhile in one message", async () => {
    const { lane, sent, held, clock } = bed();
    const calls = ["a", "b", "c", "d", "e"].map((request) => lane.call(request));
    expect(sent.map(({ requests }) => requests)).toEqual([["a"], ["b"]]);
    expect(held).toHaveLength(2);
    sent[0]?.end();
    await clock.settle();
    expect(sent.map(({ requests }) => requests)).toEqual([["a"], ["b"], ["c", "d", "e"]]);
    // A message outlives the call that sent it: others wait for its answer, or for its place.
    expect(held).toHaveLength(3);
    sent[2]?.end();
    sent[1]?.end();
    expect(await Promise.all(calls)).toEqual(["re:a", "re:b", "re:c", "re:d", "re:e"]);
  });

  it("gives each call of a message its own end", async () => {
    const { lane, sent, clock } = bed({ maxInFlight: 1 });
    const calls = ["a", "b", "c"].map((request) => lane.call(request));
    sent[0]?.end();
    await clock.settle();
    const refusal = new Error("b is refused");
    sent[1]?.end({ b: refusal });
    const ends = await Promise.allSettled(calls);
    expect(ends.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
    await expect(calls[1]).rejects.toBe(refusal);
  });

  it("OU1 a message that fails as a whole is the error of each of its calls, and the lane goes on", async () => {
    const { lane, sent, clock } = bed({ maxInFlight: 1 });
    const calls = ["a", "b", "c"].map((request) => lane.call(request));
    const broken = new Error("the object went away");
    sent[0]?.fail(broken);
    await clock.settle();
    sent[1]?.fail(broken);
    for (const call of calls) await expect(call).rejects.toBe(broken);
    const later = lane.call("d");
    sent[2]?.end();
    expect(await later).toBe("re:d");
  });

  it("bounds a message by requests and by bytes; one that alone is larger goes alone", async () => {
    const { lane, sent, clock } = bed({ maxInFlight: 1, maxRequests: 3, maxBytes: 10 });
    const calls = ["first", "1", "2", "3", "4444", "55555555", "x".repeat(20), "6"].map((request) =>
      lane.call(request),
    );
    for (let at = 0; at < 6; at++) {
      sent[at]?.end();
      await clock.settle();
    }
    expect(sent.map(({ requests }) => requests)).toEqual([
      ["first"],
      ["1", "2", "3"],
      ["4444"],
      ["55555555"],
      ["x".repeat(20)],
      ["6"],
    ]);
    await Promise.all(calls);
  });

  it("is not held up for ever by a message whose sender was cut off", async () => {
    const { lane, sent, clock } = bed({ maxInFlight: 1, lostAfterMs: 500 });
    const lost = lane.call("lost");
    const waiting = lane.call("waiting");
    await clock.advance(499);
    const early = lane.call("early");
    expect(sent).toHaveLength(1);
    await clock.advance(1);
    const late = lane.call("late");
    expect(sent.map(({ requests }) => requests)).toEqual([["lost"], ["waiting", "early", "late"]]);
    sent[1]?.end();
    expect(await Promise.all([waiting, early, late])).toEqual(["re:waiting", "re:early", "re:late"]);
    // One that was only slow is answered all the same, and does not count twice.
    sent[0]?.end();
    expect(await lost).toBe("re:lost");
    const [one, two] = [lane.call("one"), lane.call("two")];
    expect(sent.map(({ requests }) => requests).slice(2)).toEqual([["one"]]);
    sent[2]?.end();
    await clock.settle();
    sent[3]?.end();
    expect(await Promise.all([one, two])).toEqual(["re:one", "re:two"]);
  });
});
