import { AwayShard } from "../../src/adapter/failover/away-shard.ts";
import { Overlay } from "../../src/adapter/failover/overlay.ts";
import { Way } from "../../src/adapter/failover/way.ts";
import type { Fallback, Proposal } from "../../src/fallback/fallback.ts";
import type { Plant } from "./failover-world.ts";

/** Replaces one method of a class until it is put back. */
function method<T extends object, M extends keyof T>(
  of: { readonly prototype: T },
  name: M,
  make: (before: T[M]) => T[M],
): () => () => void {
  return () => {
    const before = of.prototype[name];
    of.prototype[name] = make(before);
    return () => {
      of.prototype[name] = before;
    };
  };
}

/** The same fallback with another append. */
function appending(append: (fallback: Fallback, proposals: readonly Proposal[]) => readonly Proposal[]) {
  return (fallback: Fallback): Fallback => ({
    append: (shard, proposals, limits) => fallback.append(shard, append(fallback, proposals), limits),
    read: (...args) => fallback.read(...args),
    trim: (...args) => fallback.trim(...args),
    notice: (...args) => fallback.notice(...args),
    announce: (...args) => fallback.announce(...args),
    clear: (...args) => fallback.clear(...args),
    close: () => fallback.close(),
  });
}

/** Bugs that a world has to find, each with its name. */
export const failoverPlants: readonly (Plant & { readonly name: string })[] = [
  {
    name: "a node does not say up to where the shard has to apply the stream",
    node: (failover) => {
      Object.assign(failover.around, { drain: () => undefined });
    },
  },
  {
    name: "the shard answers without having applied what it was asked to",
    deaf: true,
  },
  {
    name: "a proposal has another op id than its try at the shard",
    fallback: appending((_, proposals) =>
      proposals.map((one) => ({ ...one, mutation: { ...one.mutation, opId: `${one.mutation.opId}!` } })),
    ),
  },
  {
    name: "proposals of one append are turned around",
    fallback: appending((_, proposals) => [...proposals].reverse()),
  },
  {
    name: "a strong key is taken for an eventual one",
    node: (failover) => {
      const { way } = failover;
      if (way !== undefined) way.view.policyOf = () => undefined;
    },
  },
  {
    name: "own changes are not laid over what is known",
    classes: method(Overlay, "take", () => () => {}),
  },
  {
    name: "of two changes the one that is found last counts, wherever it stands",
    classes: method(
      Overlay,
      "take",
      (before) =>
        function (this: Overlay, place, change, isOperand, atMs) {
          this.drained(place);
          before.call(
            this,
            place === "" ? place : `${Number.MAX_SAFE_INTEGER - Number(place.split("-")[0])}-0`,
            change,
            isOperand,
            atMs,
          );
        },
    ),
  },
  {
    name: "an append that failed counts as taken",
    fallback: (fallback) => ({
      ...appending((_, proposals) => proposals)(fallback),
      append: (shard, proposals, limits) =>
        fallback.append(shard, proposals, limits).catch(() => proposals.map((_, at) => `1-${at}`)),
    }),
  },
  {
    name: "an unknown outcome is told as a failure",
    fallback: (fallback) => ({
      ...appending((_, proposals) => proposals)(fallback),
      append: (shard, proposals, limits) =>
        fallback.append(shard, proposals, limits).catch((error: object) => {
          throw Object.assign(error, { outcome: "fail" });
        }),
    }),
  },
  {
    name: "what waits is taken for what the shard has said",
    classes: method(
      Way,
      "getMany",
      (before) =>
        async function (this: Way, keys, options, begun) {
          const answers = await before.call(this, keys, options, begun);
          return answers.map(({ provisional: _, ...answer }) => answer);
        },
    ),
  },
  {
    name: "every place counts as applied as soon as the shard is asked",
    classes: method(
      AwayShard,
      "enter",
      (before) =>
        function (this: AwayShard) {
          const trial = before.call(this);
          if (this.drain !== undefined) this.drained(this.drain);
          return trial;
        },
    ),
  },
];
