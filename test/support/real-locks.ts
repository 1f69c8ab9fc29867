import type { LockCommand, LockVerdict } from "../../src/protocol/lock.ts";
import { scopeOpId } from "../../src/protocol/operation.ts";
import type { Clock } from "../../src/runtime/clock.ts";
import { uuidv7 } from "../../src/runtime/ids.ts";
import type { Random } from "../../src/runtime/random.ts";

/** For how long they are given unless a test says otherwise. */
export const lockTtlMs = 60_000;

/** Locks as the adapters' suite wants them, over an authority's own: `run` carries out one command; `ttlMs`: for how long they are given. */
export function lockCalls(
  run: (command: LockCommand) => Promise<LockVerdict | undefined>,
  clock: Clock,
  random: Random,
  ttlMs = lockTtlMs,
) {
  const held = new Map<string, { readonly owner: string; readonly fence: number }>();
  const opId = (): string => scopeOpId("locks", uuidv7(clock, random));
  let owners = 0;
  const end = async (name: string): Promise<void> => {
    const grant = held.get(name);
    if (grant === undefined) return;
    held.delete(name);
    const verdict = await run({ kind: "release", opId: opId(), name, ...grant });
    if (verdict?.outcome !== "ok") throw new Error(`not released: ${JSON.stringify(verdict)}`);
  };
  return {
    end,
    grant: async (name: string): Promise<number> => {
      await end(name);
      owners += 1;
      const owner = `owner ${owners}`;
      const verdict = await run({
        kind: "acquire",
        opId: opId(),
        name,
        owner,
        as: "mutex",
        ttlMs,
      });
      if (verdict?.outcome !== "ok" || verdict.state !== "held") {
        throw new Error(`not acquired: ${JSON.stringify(verdict)}`);
      }
      held.set(name, { owner, fence: verdict.fence });
      return verdict.fence;
    },
  };
}
