import type { Fallback, SpaceNotice } from "../../fallback/fallback.ts";
import { shardOf } from "../../protocol/key.ts";
import { PatternIndex } from "../../protocol/pattern-index.ts";
import type { RegistrationSettings, StoredRegistration } from "../../protocol/registration.ts";
import type { SpaceSettings } from "../../protocol/space.ts";
import { backingReadTimeoutMs, defaultThroughTimeoutMs } from "../../runtime/backing-limits.ts";
import { awayPatienceMs } from "../../runtime/failover-limits.ts";
import type { Adapter } from "../adapter.ts";
import type { FailoverOptions } from "./failover-options.ts";
import type { Change } from "./overlay.ts";

type Registrations = Awaited<ReturnType<Adapter["registrations"]>>;

/** The shard that knows the space and its registrations. */
export const homeShard = 0;
/** How long a space of which there is no notice is taken for one that has not opted in. */
const noNoticeMs = 1_000;
/** How long one is waited for. */
const noticeTimeoutMs = 2_000;

/** What a node knows of its space where the shards say nothing: as they said last, else as the notice of a fallback has it. */
export class SpaceView {
  readonly #options: FailoverOptions;
  readonly #fallbacks = new Map<string, Fallback>();
  #met: SpaceSettings | undefined;
  #notice: SpaceNotice | undefined;
  #list: Registrations | undefined;
  #index: PatternIndex<RegistrationSettings> | undefined;
  #askAgainMs = Number.NEGATIVE_INFINITY;
  /** Grows where the space turns out to be another one than a notice had said. */
  lives = 0;

  constructor(options: FailoverOptions) {
    this.#options = options;
  }

  /** Whether a shard has told what the space is. */
  get hasMet(): boolean {
    return this.#met !== undefined;
  }

  get space(): SpaceSettings | undefined {
    return this.#met ?? this.#notice?.space;
  }

  /** The settings as a shard gave them; gives whether the space is another one than before. */
  meet(space: SpaceSettings | undefined): boolean {
    const before = this.space;
    // Of lives that followed each other by what shards said the adapter beneath knows.
    const isAnother = before !== undefined && before.id !== space?.id;
    if (isAnother && this.#met === undefined) this.lives++;
    if (isAnother) this.#keep(undefined);
    this.#notice = undefined;
    this.#met = space;
    return isAnother;
  }

  /** The name of the space's fallback, so far as it is known that it has opted in to one of the deployment's. */
  get fallbackName(): string | undefined {
    const name = this.space?.fallback;
    return name !== undefined && Object.hasOwn(this.#options.fallbacks, name) ? name : undefined;
  }

  /** How long an answer may take before it counts as none, ms: a shard that waits for the storage behind it is there. */
  get patienceMs(): number {
    const { patienceMs = awayPatienceMs } = this.#options;
    const { storage } = this.space ?? {};
    if (storage === undefined) return patienceMs;
    const { write, throughTimeoutMs = defaultThroughTimeoutMs } = storage;
    return patienceMs + Math.max(backingReadTimeoutMs, write === "through" ? throughTimeoutMs : 0);
  }

  /** The registrations as the shards gave them. */
  learn(list: Registrations): void {
    this.#keep(list);
  }

  /** The list as it is known; undefined: it is not. */
  get registrations(): Registrations | undefined {
    return this.#list;
  }

  shardOf(key: string, inner: Adapter): number {
    const { space } = this;
    return space === undefined ? inner.shardOf(key) : shardOf(key, space.shards);
  }

  /** The policy of a key; undefined: it has none, the default counts. */
  policyOf(key: string): RegistrationSettings | undefined {
    this.#index ??= this.#build();
    return this.#index.match(key);
  }

  /** Whether a shard that is reached again would merge a change into what it has then. */
  isOperand(change: Change): boolean {
    if (change.kind === "delete") return false;
    return (
      change.kind === "merge" || (change.replace !== true && this.policyOf(change.key)?.merge !== undefined)
    );
  }

  /** The space's streams; undefined: it has not opted in, so far as is known. A node that never met it asks for its notice. */
  async open(): Promise<Fallback | undefined> {
    if (this.space === undefined || this.#list === undefined) await this.#ask();
    const name = this.fallbackName;
    return name === undefined ? undefined : await this.#fallback(name);
  }

  close(): void {
    for (const fallback of this.#fallbacks.values()) fallback.close();
  }

  async #ask(): Promise<void> {
    const { clock, fallbacks } = this.#options;
    if (clock.now() < this.#askAgainMs) return;
    for (const name of Object.keys(fallbacks)) {
      const notice = await (await this.#fallback(name))?.notice({ timeoutMs: noticeTimeoutMs });
      if (notice === undefined || notice.space.fallback !== name) continue;
      if (this.#met === undefined) this.#notice = notice;
      if (this.space?.id === notice.space.id && this.#list === undefined)
        this.#keep({ version: notice.registrations, list: notice.list });
      return;
    }
    this.#askAgainMs = clock.now() + noNoticeMs;
  }

  async #fallback(name: string): Promise<Fallback | undefined> {
    const known = this.#fallbacks.get(name);
    if (known !== undefined) return known;
    const made = await this.#options.fallbacks[name]?.(this.#options.space, this.#options);
    // Another request may have made it meanwhile.
    const first = this.#fallbacks.get(name) ?? made;
    if (first !== undefined) this.#fallbacks.set(name, first);
    if (made !== first) made?.close();
    return first;
  }

  #keep(list: Registrations | undefined): void {
    this.#list = list;
    this.#index = undefined;
  }

  #build(): PatternIndex<RegistrationSettings> {
    const index = new PatternIndex<RegistrationSettings>();
    const put = ({ pattern, settings }: StoredRegistration): void => index.set(pattern, settings);
    // Static ones come last here: they win.
    for (const registration of this.#list?.list ?? []) put(registration);
    for (const registration of this.#options.statics ?? []) put(registration);
    return index;
  }
}
