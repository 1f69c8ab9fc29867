import type { Adapter, AdapterSupports, Pushes } from "../../src/adapter/adapter.ts";

/** The calls of an adapter that can be held. */
export type ScriptedMethod =
  | "getMany"
  | "batch"
  | "list"
  | "changes"
  | "space"
  | "registrations"
  | "register"
  | "unregister"
  | "readVersion"
  | "history"
  | "claimLoad"
  | "transact"
  | "resolve";

/** A call that a test decides about. What the storage does and when the caller hears of it are two things. */
export interface HeldCall {
  readonly method: ScriptedMethod;
  readonly args: readonly unknown[];
  /** Lets the storage carry it out now; the caller does not hear of it yet. */
  act(): Promise<void>;
  /** Lets the caller have the answer (the storage acts now if it has not). */
  answer(): Promise<void>;
  /** Lets the call end with an error; whether the storage has acted is the test's choice. */
  fail(error: unknown): void;
}

/** An adapter between a node and its storage that can hold, reorder, fail and release each answer. */
export class ScriptedAdapter implements Adapter {
  /** The storage itself: may be changed, for one of another epoch. */
  inner: Adapter;
  /** The calls that wait for the test, in the order they were sent. */
  readonly held: HeldCall[] = [];
  /** How often each method was called. */
  readonly counts = new Map<ScriptedMethod, number>();
  readonly supports: AdapterSupports;
  readonly pushes?: Pushes;
  closed = false;
  readonly #holding = new Set<ScriptedMethod>();
  readonly #failing = new Map<ScriptedMethod, () => unknown>();

  constructor(inner: Adapter, supports: Partial<AdapterSupports> = {}, pushes?: Pushes) {
    this.inner = inner;
    if (pushes !== undefined) this.pushes = pushes;
    this.supports = { ...inner.supports, ...supports };
  }

  /** From now on calls of these methods wait. */
  hold(...methods: ScriptedMethod[]): void {
    for (const method of methods) this.#holding.add(method);
  }

  /** From now on calls go through again; those held stay held. */
  release(...methods: ScriptedMethod[]): void {
    for (const method of methods) this.#holding.delete(method);
  }

  /** From now on the method fails, at once and without effect; undefined ends it. */
  failing(method: ScriptedMethod, error: (() => unknown) | undefined): void {
    if (error === undefined) this.#failing.delete(method);
    else this.#failing.set(method, error);
  }

  count(method: ScriptedMethod): number {
    return this.counts.get(method) ?? 0;
  }

  /** Takes the oldest held call of `method`. */
  take(method: ScriptedMethod): HeldCall {
    const at = this.held.findIndex((call) => call.method === method);
    const [call] = at < 0 ? [] : this.held.splice(at, 1);
    if (call === undefined) throw new Error(`no ${method} is held`);
    return call;
  }

  async #call<T>(method: ScriptedMethod, args: readonly unknown[], perform: () => Promise<T>): Promise<T> {
    this.counts.set(method, this.count(method) + 1);
    const failure = this.#failing.get(method);
    if (failure !== undefined) throw failure();
    if (!this.#holding.has(method)) return await perform();
    return await new Promise<T>((resolve, reject) => {
      let acted: Promise<T> | undefined;
      const act = (): Promise<T> => {
        acted ??= perform();
        return acted;
      };
      this.held.push({
        method,
        args,
        act: async () => void (await act()),
        answer: async () => {
          act().then(resolve, reject);
          await Promise.resolve();
        },
        fail: reject,
      });
    });
  }

  shardOf(key: string): number {
    return this.inner.shardOf(key);
  }

  get registrationsSeen(): number {
    return this.inner.registrationsSeen;
  }

  get life(): number {
    return this.inner.life;
  }

  getMany(...args: Parameters<Adapter["getMany"]>): ReturnType<Adapter["getMany"]> {
    return this.#call("getMany", args, () => this.inner.getMany(...args));
  }

  batch(...args: Parameters<Adapter["batch"]>): ReturnType<Adapter["batch"]> {
    return this.#call("batch", args, () => this.inner.batch(...args));
  }

  list(...args: Parameters<Adapter["list"]>): ReturnType<Adapter["list"]> {
    return this.#call("list", args, () => this.inner.list(...args));
  }

  changes(...args: Parameters<Adapter["changes"]>): ReturnType<Adapter["changes"]> {
    return this.#call("changes", args, () => this.inner.changes(...args));
  }

  space(...args: Parameters<Adapter["space"]>): ReturnType<Adapter["space"]> {
    return this.#call("space", args, () => this.inner.space(...args));
  }

  registrations(...args: Parameters<Adapter["registrations"]>): ReturnType<Adapter["registrations"]> {
    return this.#call("registrations", args, () => this.inner.registrations(...args));
  }

  register(...args: Parameters<Adapter["register"]>): ReturnType<Adapter["register"]> {
    return this.#call("register", args, () => this.inner.register(...args));
  }

  unregister(...args: Parameters<Adapter["unregister"]>): ReturnType<Adapter["unregister"]> {
    return this.#call("unregister", args, () => this.inner.unregister(...args));
  }

  readVersion(...args: Parameters<Adapter["readVersion"]>): ReturnType<Adapter["readVersion"]> {
    return this.#call("readVersion", args, () => this.inner.readVersion(...args));
  }

  history(...args: Parameters<Adapter["history"]>): ReturnType<Adapter["history"]> {
    return this.#call("history", args, () => this.inner.history(...args));
  }

  claimLoad(...args: Parameters<Adapter["claimLoad"]>): ReturnType<Adapter["claimLoad"]> {
    return this.#call("claimLoad", args, () => this.inner.claimLoad(...args));
  }

  transact(...args: Parameters<Adapter["transact"]>): ReturnType<Adapter["transact"]> {
    return this.#call("transact", args, () => this.inner.transact(...args));
  }

  resolve(...args: Parameters<Adapter["resolve"]>): ReturnType<Adapter["resolve"]> {
    return this.#call("resolve", args, () => this.inner.resolve(...args));
  }

  async close(): Promise<void> {
    this.closed = true;
    await this.inner.close();
  }
}
