import type { LockVerdict } from "../../../src/protocol/lock.ts";
import type { FenceGuard } from "../../../src/protocol/operation.ts";
import { jsonCodec } from "../../../src/runtime/codec.ts";
import type { LockCall } from "../check/lock-history.ts";
import { sleep } from "./attempts.ts";
import type { Kernel } from "./kernel.ts";
import type { AskedCommand, LockCalls, Observed } from "./lock-calls.ts";
import type { LockAct, LockStep, Tenure } from "./lock-plan.ts";
import type { Plan } from "./plan.ts";
import type { SimNode } from "./sim-node.ts";

/** Of what holders of locks are made. */
export interface LockClientParts {
  readonly kernel: Kernel;
  readonly plan: Plan;
  readonly calls: LockCalls;
  readonly node: (at: number) => SimNode;
  /** Adds one to a key under a fence, or sets it to a value of its own; gives whether its fate is known. */
  readonly write: (by: number, key: string, value: number | "more", guard: FenceGuard) => Promise<boolean>;
  readonly force: (name: string) => Promise<void>;
}

/** A grant as its holder knows it. */
interface Held {
  readonly fence: number;
  /** How often it must be released. */
  readonly count: number;
}

/** Carries out planned tenures of locks: each acquires, waits, claims, does something, and lets go. Nothing is thrown. */
export class LockClients {
  readonly #parts: LockClientParts;

  constructor(parts: LockClientParts) {
    this.#parts = parts;
  }

  start(step: LockStep, place: number): void {
    if (step.do === "force") {
      void this.#parts.force(step.name);
      return;
    }
    const node = this.#parts.node(step.by);
    node.deliver(
      () => void (step.do === "observe" ? this.#observe(node, step) : this.#live(node, step, place)),
    );
  }

  async #live(node: SimNode, tenure: Tenure, place: number): Promise<void> {
    const owner = tenure.isShared === true ? `${node.name} shared` : `${node.name} ${place}`;
    const life = new Life(this.#parts, node, tenure, owner, place);
    const held = await life.acquire();
    if (held === undefined) return;
    await life.hold(held);
    await life.letGo(held);
    if (tenure.isLate) await life.act("add", held.fence);
  }

  async #observe(node: SimNode, { name, forMs }: Extract<LockStep, { do: "observe" }>): Promise<void> {
    const { kernel, calls } = this.#parts;
    const untilMs = kernel.nowMs + forMs;
    let cursor: Observed | undefined;
    while (kernel.nowMs < untilMs) {
      const found = await calls.observe(node, name, cursor, Math.min(1_000, forMs));
      cursor = found ?? cursor;
      await sleep(kernel, node, 1 + node.random.below(50));
    }
  }
}

/** One tenure. */
class Life {
  readonly #parts: LockClientParts;
  readonly #node: SimNode;
  readonly #tenure: Tenure;
  readonly #owner: string;
  readonly #place: number;
  #ticket: string | undefined;
  #isOver = false;
  #writes = 0;
  /** It does not know what became of its last write. */
  #isLost = false;

  constructor(parts: LockClientParts, node: SimNode, tenure: Tenure, owner: string, place: number) {
    this.#parts = parts;
    this.#node = node;
    this.#tenure = tenure;
    this.#owner = owner;
    this.#place = place;
  }

  /** Gives the grant, in the end; undefined: there will be none. */
  async acquire(): Promise<Held | undefined> {
    const { as, ttlMs, permits, take, delayMs, endsWithSession, waitMs, isDoubled } = this.#tenure;
    const verdict = await this.#command(
      {
        kind: "acquire",
        as,
        ttlMs,
        ...(permits === undefined ? {} : { permits }),
        ...(take === undefined ? {} : { take }),
        ...(delayMs === undefined ? {} : { delayMs }),
        ...(endsWithSession === undefined ? {} : { endsWithSession }),
        ...(waitMs === undefined ? {} : { waitMs }),
        ...(as === "election" ? { value: jsonCodec.encode(this.#place) } : {}),
      },
      isDoubled ? 2 : 1,
    );
    if (verdict?.outcome !== "ok") return undefined;
    if (verdict.state === "held") return verdict;
    if (verdict.state === "ended") return undefined;
    this.#ticket = verdict.ticket;
    return await this.#wait(verdict.ticket);
  }

  async #wait(ticket: string): Promise<Held | undefined> {
    const { kernel, calls } = this.#parts;
    const { patienceMs, pollMs, dawdleMs, waitMs = 0, name } = this.#tenure;
    if (patienceMs !== undefined)
      void sleep(kernel, this.#node, patienceMs).then(async () => {
        if (this.#isOver) return;
        this.#isOver = true;
        await this.#command({ kind: "cancel", ticket });
      });
    const untilMs = kernel.nowMs + waitMs + 3_000;
    while (!this.#isOver && kernel.nowMs < untilMs) {
      const place = { name, owner: this.#owner, ticket, waitMs: pollMs };
      const verdict = await calls.wait(this.#node, place);
      if (verdict?.outcome === "fail") break;
      const isOffered = verdict?.state === "offered" || verdict?.state === "held";
      if (!isOffered) {
        await sleep(kernel, this.#node, verdict === undefined || pollMs === 0 ? 100 : 1);
        continue;
      }
      if (dawdleMs > 0) await sleep(kernel, this.#node, dawdleMs);
      // Who has given up does not take what comes after that.
      if (this.#isOver) break;
      const claimed = await this.#command({ kind: "claim", ticket });
      if (claimed?.outcome === "ok" && claimed.state === "held") {
        if (this.#isOver) break;
        this.#isOver = true;
        return claimed;
      }
      // Too late: its place is still its own.
      if (claimed?.outcome === "fail" && claimed.error.code !== "lock_lost") break;
    }
    this.#isOver = true;
    return undefined;
  }

  /** Does what was planned, one act after the other, until it has held it for long enough or has lost it. */
  async hold({ fence }: Held): Promise<void> {
    const { kernel } = this.#parts;
    const { holdMs, everyMs, acts } = this.#tenure;
    const untilMs = kernel.nowMs + holdMs;
    for (let turn = 0; kernel.nowMs < untilMs && turn < 12; turn++) {
      const act = acts[turn % acts.length];
      if (act !== undefined && !(await this.act(act, fence))) return;
      await sleep(kernel, this.#node, everyMs);
    }
  }

  /** Gives whether it still holds, as far as it knows. */
  async act(act: LockAct, fence: number): Promise<boolean> {
    const { name, as } = this.#tenure;
    const lock = this.#parts.plan.locks.find((one) => one.name === name);
    switch (act) {
      case "renew":
      case "confirm":
        return (await this.#command({ kind: act, fence }))?.outcome !== "fail";
      case "proclaim":
        if (as === "election")
          await this.#command({ kind: "proclaim", fence, value: jsonCodec.encode(this.#place + 0.5) });
        return true;
      case "wrong": {
        const kind = this.#node.random.pick(["release", "renew", "confirm"] as const);
        await this.#command({ kind, fence }, 1, `${this.#owner} not`);
        return true;
      }
      case "add":
        // Several at once would each add to what they have read.
        if (lock !== undefined && !this.#isLost && (as === "mutex" || as === "write" || as === "election"))
          this.#isLost ||= !(await this.#parts.write(this.#tenure.by, lock.counter, "more", {
            lock: name,
            fence,
          }));
        return !this.#isLost;
      case "mark":
        this.#writes++;
        if (lock !== undefined) {
          const value = (this.#place + 1) * 10_000 + this.#writes;
          await this.#parts.write(this.#tenure.by, lock.mark, value, { lock: name, fence });
        }
        return true;
    }
  }

  async letGo({ fence }: Held): Promise<void> {
    const { ends } = this.#tenure;
    if (ends === "leave") return;
    // Who has waited may let go by the ticket as well.
    const ticket = this.#node.random.below(4) === 0 ? this.#ticket : undefined;
    await this.#command(ticket === undefined ? { kind: "release", fence } : { kind: "cancel", ticket });
    if (ends === "twice") await this.#command({ kind: "release", fence });
  }

  #command(part: Part, copies = 1, owner = this.#owner): Promise<LockVerdict | undefined> {
    const { name, ttlMs, as } = this.#tenure;
    return this.#parts.calls.command(this.#node, { ...part, name, owner } as AskedCommand, {
      as,
      ttlMs,
      copies,
      isWrong: owner !== this.#owner,
      repeats: this.#parts.plan.repeats ? 3 : 0,
      ...pick(this.#tenure),
    });
  }
}

/** A command but for whose it is. */
type Part = AskedCommand extends infer One
  ? One extends AskedCommand
    ? Omit<One, "name" | "owner">
    : never
  : never;

function pick({
  take,
  permits,
  endsWithSession,
}: Tenure): Pick<LockCall, "take" | "permits" | "endsWithSession"> {
  return {
    ...(take === undefined ? {} : { take }),
    ...(permits === undefined ? {} : { permits }),
    ...(endsWithSession === undefined ? {} : { endsWithSession }),
  };
}
