import { expect, it } from "vitest";
import { type BusContract, codeOf, Ear, settle } from "./syncbus.ts";

/** What arrives where, how often and in which order. */
export function syncBusDelivery({ supports, positions = supports.resume, run }: BusContract): void {
  it("SB-01 SB-13 a publication reaches each subscriber of another node once, and not its publisher", () =>
    run(async (bed) => {
      const [one, other, third] = [bed.end("one"), bed.end("other"), bed.end()];
      const [own, ear, away] = [
        await Ear.on(one),
        await Ear.on(other, { key: "k" }),
        await Ear.on(third, { key: "elsewhere" }),
      ];
      await one.publish({ key: "k" });
      await settle(bed);
      expect(ear.heard).toEqual(["k"]);
      const [event] = ear.events;
      expect(event?.id.length).toBeGreaterThan(0);
      expect(event?.node ?? "one").toBe("one");
      expect(event?.position !== undefined).toBe(positions);
      expect([own.events, away.events]).toEqual([[], []]);
      expect(one.stats()).toMatchObject({ published: 1, delivered: 0 });
      expect(other.stats()).toMatchObject({ published: 0, delivered: 1, duplicates: 0, errors: 0 });
    }));

  it("SB-13 of ten nodes the nine others hear", () =>
    run(async (bed) => {
      const nodes = Array.from({ length: 10 }, () => bed.end());
      const ears = await Promise.all(nodes.map((node) => Ear.on(node)));
      await nodes[4]?.publish({ key: "k" });
      await settle(bed);
      expect(ears.map(({ heard }) => heard.length)).toEqual([1, 1, 1, 1, 0, 1, 1, 1, 1, 1]);
    }));

  it("key, prefix and tag messages reach all whom they may concern", () =>
    run(async (bed) => {
      const [one, other] = [bed.end(), bed.end()];
      const ears = {
        key: await Ear.on(other, { key: "user:1" }),
        prefix: await Ear.on(other, { prefix: "user:" }),
        longer: await Ear.on(other, { prefix: "user:1" }),
        beside: await Ear.on(other, { prefix: "cart:" }),
        all: await Ear.on(other),
      };
      const heard = () =>
        Object.entries(ears).flatMap(([name, ear]) => (ear.bursts.length > 0 ? [name] : []));
      const publish = async (message: Parameters<typeof one.publish>[0]) => {
        for (const ear of Object.values(ears)) ear.bursts.length = 0;
        await one.publish(message);
        await settle(bed);
        return heard();
      };
      expect(await publish({ key: "user:1" })).toEqual(["key", "prefix", "longer", "all"]);
      expect(await publish({ key: "user:2" })).toEqual(["prefix", "all"]);
      expect(await publish({ prefix: "us" })).toEqual(["key", "prefix", "longer", "all"]);
      expect(await publish({ prefix: "user:12" })).toEqual(["prefix", "longer", "all"]);
      expect(await publish({ prefix: "" })).toEqual(["key", "prefix", "longer", "beside", "all"]);
      expect(await publish({ tag: "t" })).toEqual(["key", "prefix", "longer", "beside", "all"]);
    }));

  it("SB7 of a burst the first message leaves at once, the rest together within 16 ms", () =>
    run(async (bed) => {
      const [one, other] = [bed.end(), bed.end()];
      const ear = await Ear.on(other);
      const sent = Promise.all(Array.from({ length: 10 }, (_, i) => one.publish({ key: `k${i}` })));
      await bed.arrive();
      expect(ear.bursts.map((burst) => burst.length)).toEqual([1]);
      await bed.clock.advance(16 + (bed.gatherMs ?? 0));
      await bed.arrive();
      expect(ear.bursts.map((burst) => burst.length)).toEqual([1, 9]);
      await sent;
      // The pause counts from the last burst, so that a steady flow leaves every 16 ms.
      await settle(bed);
      await one.publish({ key: "later" });
      await bed.arrive();
      expect(ear.bursts.length).toBe(3);
    }));

  it("SB4 SB-04 a publication is not swallowed because one of the same key is pending", () =>
    run(async (bed) => {
      const [one, other] = [bed.end(), bed.end()];
      const ear = await Ear.on(other);
      const sent = Promise.all(["k", "k", "k", "k"].map((key) => one.publish({ key })));
      await settle(bed);
      await sent;
      expect(ear.heard).toEqual(["k", "k", "k", "k"]);
      expect(one.stats().published).toBe(4);
    }));

  it("SB1 messages of one node arrive in the order in which they were published", () =>
    run(async (bed) => {
      const [one, other] = [bed.end(), bed.end()];
      const ear = await Ear.on(other);
      const keys = Array.from({ length: 1_200 }, (_, i) => `k${i}`);
      const sent = Promise.all(keys.map((key) => one.publish({ key })));
      await settle(bed);
      await settle(bed);
      await sent;
      expect(ear.heard).toEqual(keys);
    }));

  it("SB-10 two nodes that publish one key at once both succeed and hear each other", () =>
    run(async (bed) => {
      const [one, other] = [bed.end(), bed.end()];
      const ears = [await Ear.on(one), await Ear.on(other)];
      await Promise.all([one.publish({ key: "k" }), other.publish({ key: "k" })]);
      await settle(bed);
      expect(ears.map(({ heard }) => heard)).toEqual([["k"], ["k"]]);
    }));

  it("SB-09 a publication that is not taken within its deadline fails as deadline_exceeded; it may still arrive", () =>
    run(async (bed) => {
      const [one, other] = [bed.end(), bed.end()];
      const ear = await Ear.on(other);
      await one.publish({ key: "first" });
      // It waits for its burst.
      const late = one.publish({ key: "late" }, { timeoutMs: 5 });
      const controller = new AbortController();
      const aborted = one.publish({ key: "aborted" }, { signal: controller.signal });
      const codes = Promise.all([late, aborted].map(codeOf));
      const outcome = late.catch((error: { outcome: string }) => error.outcome);
      await bed.clock.advance(6);
      controller.abort();
      expect(await codes).toEqual(["deadline_exceeded", "aborted"]);
      expect(await outcome).toBe("unknown");
      await settle(bed);
      expect(ear.heard).toEqual(["first", "late", "aborted"]);
    }));

  it("a listener that fails is told of, and keeps neither others nor later bursts from arriving", () =>
    run(async (bed) => {
      const [one, other] = [bed.end(), bed.end()];
      const errors: unknown[] = [];
      const off = other.onError((error) => errors.push(error));
      let calls = 0;
      await other.subscribe({ prefix: "" }, () => {
        calls++;
        throw new Error("no");
      });
      const ear = await Ear.on(other);
      await one.publish({ key: "a" });
      await settle(bed);
      await one.publish({ key: "b" });
      await settle(bed);
      expect(calls).toBe(2);
      expect(ear.heard).toEqual(["a", "b"]);
      expect(errors.map(String)).toEqual(["Error: no", "Error: no"]);
      expect(other.stats().errors).toBe(2);
      off();
      await one.publish({ key: "c" });
      await settle(bed);
      expect(errors.length).toBe(2);
    }));

  it("a listener has one burst at a time; what comes meanwhile comes together", () =>
    run(async (bed) => {
      const [one, other] = [bed.end(), bed.end()];
      const bursts: number[] = [];
      const { promise, resolve: release } = Promise.withResolvers<void>();
      await other.subscribe({ prefix: "" }, async (events) => {
        bursts.push(events.length);
        await promise;
      });
      for (const key of ["a", "b", "c"]) {
        await one.publish({ key });
        await settle(bed);
      }
      expect(bursts).toEqual([1]);
      release();
      await settle(bed);
      expect(bursts).toEqual([1, 2]);
    }));

  it("SB-07 a publication over a connection that breaks is carried out over the next one, and delivered once", () =>
    run(async (bed) => {
      if (bed.cut === undefined) {
        // A driver without connections of its own has nothing that could break.
        expect(supports.resume).toBe(false);
        return;
      }
      const [one, other] = [bed.end(), bed.end()];
      const ear = await Ear.on(other);
      bed.cut();
      const sent = one.publish({ key: "k" });
      await settle(bed);
      await sent;
      await one.publish({ key: "after" });
      await settle(bed);
      expect(ear.heard).toEqual(["k", "after"]);
    }));

  it("SB-08 what arrives again is not delivered again", () =>
    run(async (bed) => {
      // Nothing is sent twice inside one process; a socket's session knows by itself what it has had.
      if (bed.again === undefined) return;
      const [one, other] = [bed.end(), bed.end()];
      const ear = await Ear.on(other);
      await one.publish({ key: "k" });
      await settle(bed);
      await bed.again();
      await settle(bed);
      expect(ear.heard).toEqual(["k"]);
      expect(other.stats()).toMatchObject({ delivered: 1, duplicates: 1 });
    }));
}
