import type { Fallback } from "../../../src/fallback/fallback.ts";
import { comparePlaces } from "../../../src/fallback/place.ts";
import { opIdTime } from "../../../src/protocol/mutation.ts";
import { scopeOpId } from "../../../src/protocol/operation.ts";
import { uuidv7 } from "../../../src/runtime/ids.ts";
import { ProposalOperation } from "../../../src/shard/fallback/proposal-operation.ts";
import type { FollowerParts } from "../../../src/shard/follow-slot.ts";
import type { MutationOperation } from "../../../src/shard/strong/operation.ts";
import { seeded } from "../../support/seeded.ts";
import type { Plant } from "./stream-world.ts";

/** The same stream with other ways to it. */
function other(fallback: Fallback, ways: Partial<Fallback>): Fallback {
  return {
    append: (...args) => fallback.append(...args),
    read: (...args) => fallback.read(...args),
    trim: (...args) => fallback.trim(...args),
    notice: (...args) => fallback.notice(...args),
    announce: (...args) => fallback.announce(...args),
    clear: (...args) => fallback.clear(...args),
    close: () => fallback.close(),
    ...ways,
  };
}

/** The same operations in another form. */
function operating(parts: FollowerParts, make: (one: MutationOperation) => MutationOperation): FollowerParts {
  const { writes } = parts;
  return {
    ...parts,
    writes: { carry: (scope, operations, ...rest) => writes.carry(scope, operations.map(make), ...rest) },
  };
}

/** A stream that has lost its tail may give a place again. */
function believedPlace(): Plant {
  let present: FollowerParts | undefined;
  return {
    name: "a place that is not beyond what was applied is taken for applied without a look",
    parts: (parts) => {
      present = parts;
      return parts;
    },
    follower: (follower) => {
      const look = follower.drain.bind(follower);
      return Object.assign(follower, {
        drain: async (place: string) => {
          const applied = present?.residence.open()?.meta.followed?.place;
          if (applied === undefined || comparePlaces(place, applied) > 0) await look(place);
        },
      });
    },
  };
}

/** Bugs that the worlds have to find. */
export const streamPlants: readonly Plant[] = [
  {
    name: "what was read is trimmed before it is applied",
    stream: (fallback) =>
      other(fallback, {
        read: async (shard, ...args) => {
          const page = await fallback.read(shard, ...args);
          const last = page.proposals.at(-1)?.place;
          if (last !== undefined) await fallback.trim(shard, last).catch(() => {});
          return page;
        },
      }),
  },
  {
    name: "the place is written before what stands there is applied",
    parts: (parts) => ({
      ...parts,
      writes: {
        carry: async (scope, operations, admit, note) => {
          const none = { outcome: "ok", version: 0, revision: 0, existed: false } as const;
          const refusal = await parts.writes.carry(scope, [], admit, (ledger) =>
            note(
              ledger,
              operations.map(() => none),
            ),
          );
          return (
            refusal ??
            (await parts.writes.carry(
              scope,
              operations,
              (ledger) => ledger,
              () => {},
            ))
          );
        },
      },
    }),
  },
  {
    name: "a proposal has an op id of its own at the shard",
    parts: (parts) => {
      const random = seeded(9);
      return operating(parts, ({ mutation }) => {
        const now = opIdTime(mutation.opId) ?? 0;
        const opId = scopeOpId("other", uuidv7({ now: () => now }, random));
        return new ProposalOperation({ ...mutation, opId }, false);
      });
    },
  },
  {
    name: "verdicts are forgotten while the stream can't be read",
    parts: (parts) => {
      Object.defineProperty(parts.followed, "seenMs", {
        get: () => parts.clock.now(),
        set: () => {},
        configurable: true,
      });
      return parts;
    },
  },
  {
    name: "a page is applied the other way around",
    stream: (fallback) =>
      other(fallback, {
        read: async (...args) => {
          const page = await fallback.read(...args);
          const { proposals } = page;
          const turned = [...proposals].reverse();
          return {
            ...page,
            proposals: turned.map((one, at) => ({ ...one, place: proposals[at]?.place ?? one.place })),
          };
        },
      }),
  },
  {
    name: "calls are answered before what was proposed is applied",
    follower: (follower) => Object.assign(follower, { drain: async () => {} }),
  },
  believedPlace(),
  {
    name: "the last proposal of a page is passed over",
    stream: (fallback) =>
      other(fallback, {
        read: async (...args) => {
          const page = await fallback.read(...args);
          const last = page.proposals.at(-1);
          const before = page.proposals.at(-2);
          if (last === undefined || before === undefined) return page;
          return { ...page, proposals: [...page.proposals.slice(0, -2), { ...before, place: last.place }] };
        },
      }),
  },
  {
    name: "a proposal that has waited long is taken for a late copy",
    parts: (parts) => operating(parts, ({ mutation }) => new ProposalOperation(mutation, true)),
  },
  {
    name: "all that the stream has is trimmed, applied or not",
    stream: (fallback) =>
      other(fallback, {
        trim: async (shard, place) => {
          const { head = place } = await fallback.read(shard, place, 1);
          await fallback.trim(shard, head);
        },
      }),
  },
  {
    name: "it is not noticed that the stream has lost its tail",
    stream: (fallback) =>
      other(fallback, {
        read: async (...args) => {
          const { lost: _, ...page } = await fallback.read(...args);
          return page;
        },
      }),
  },
];
