import type { Leases } from "../../src/lease/lease.ts";
import type { Locks } from "../../src/lock/lock.ts";
import type { LeaseCommand, LeaseInfo, LeaseVerdict } from "../../src/protocol/lease.ts";
import type { ElectionEvent, LockCommand, LockInfo, LockVerdict } from "../../src/protocol/lock.ts";
import { utf8 } from "../../src/runtime/bytes.ts";
import type { CallLimits } from "../../src/runtime/call-limits.ts";

type Place = Parameters<Locks["wait"]>[0];

/** Locks that answer what a test says next; without a word everything succeeds. */
export class FakeLocks implements Locks {
  readonly supports = {
    exclusive: true,
    durable: false,
    shared: false,
    fair: true,
    sessions: false,
    elections: true,
  };
  readonly commands: LockCommand[] = [];
  readonly waits: { readonly place: Place; readonly options: CallLimits | undefined }[] = [];
  /** The next verdicts, of commands and of waits. Errors are thrown. */
  readonly verdicts: (LockVerdict | Error)[] = [];
  readonly waitVerdicts: (LockVerdict | Error | (() => LockVerdict))[] = [];
  fence = 6;

  async run(commands: readonly LockCommand[]): Promise<readonly LockVerdict[]> {
    return commands.map((command) => {
      this.commands.push(command);
      const next = this.verdicts.shift() ?? this.#usual(command);
      if (next instanceof Error) throw next;
      return next;
    });
  }

  #usual({ kind }: LockCommand): LockVerdict {
    if (kind === "acquire" || kind === "claim") this.fence++;
    if (kind === "force") return { outcome: "ok", state: "ended", count: 1 };
    if (kind === "release" || kind === "cancel") return { outcome: "ok", state: "ended", count: 0 };
    return held(this.fence);
  }

  async wait(place: Place, options?: CallLimits): Promise<LockVerdict> {
    this.waits.push({ place, options });
    const next = this.waitVerdicts.shift() ?? held(this.fence);
    if (next instanceof Error) throw next;
    return typeof next === "function" ? next() : next;
  }

  async info(name: string): Promise<LockInfo> {
    const value = { bytes: utf8('{"url":"http://10.0.0.1"}'), contentType: "application/json" };
    const grant = { owner: "worker-1", fence: 7, ttlMs: 30_000, remainingMs: 29_000, count: 1, take: 1 };
    const kind = name === "scheduler" ? ("election" as const) : ("mutex" as const);
    return { name, holders: [{ ...grant, kind, ...(kind === "election" ? { value } : {}) }], waiters: 0 };
  }

  async list() {
    return { locks: [], cursor: undefined };
  }

  /** The next steps. */
  readonly steps: ElectionEvent[][] = [];
  readonly observed: { readonly cursor?: string; readonly waitMs: number }[] = [];

  async observe(_: string, options: { readonly cursor?: string; readonly waitMs: number }) {
    this.observed.push(options);
    return { events: this.steps.shift() ?? [], cursor: "00000000000000aa.8", gap: false };
  }

  onEnd() {
    return () => undefined;
  }

  async close() {}
}

/** A grant. */
export function held(fence: number): Extract<LockVerdict, { state: "held" }> {
  return { outcome: "ok", state: "held", fence, ttlMs: 30_000, remainingMs: 30_000, count: 1 };
}

/** Leases of which every id is live. */
export class FakeLeases implements Leases {
  readonly supports = { durable: false, shared: false };
  readonly commands: LeaseCommand[] = [];
  readonly verdicts: (LeaseVerdict | Error)[] = [];
  attached: readonly string[] = ["user:1"];
  isLive = true;

  async run(commands: readonly LeaseCommand[]): Promise<readonly LeaseVerdict[]> {
    return commands.map((command) => {
      this.commands.push(command);
      const next = this.verdicts.shift() ?? { outcome: "ok", remainingMs: 900_000, changed: 2 };
      if (next instanceof Error) throw next;
      return next;
    });
  }

  #info(id: string): LeaseInfo {
    const times = { ttlMs: 900_000, remainingMs: 890_000, grantedAtMs: 1 };
    return { id, ...times, onEnd: "invalidate", shards: [0] };
  }

  async info(id: string) {
    return this.isLive ? this.#info(id) : undefined;
  }

  async list() {
    return { leases: [this.#info("01930f6e7a0070008000000000000000")], cursor: undefined };
  }

  async keys(_: string, options: { readonly limit?: number; readonly cursor?: string } = {}) {
    const { limit = 100, cursor } = options;
    const from = cursor === undefined ? 0 : Number(cursor);
    const keys = this.attached.slice(from, from + limit);
    return { keys, cursor: from + limit < this.attached.length ? String(from + limit) : undefined };
  }

  onEnd() {
    return () => undefined;
  }

  async close() {}
}
