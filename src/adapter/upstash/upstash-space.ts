import type { Position } from "../../protocol/position.ts";
import type { CallLimits } from "../../runtime/call-limits.ts";
import type { Clock } from "../../runtime/clock.ts";
import { randomHex } from "../../runtime/ids.ts";
import type { Random } from "../../runtime/random.ts";
import { CallBudget } from "../../upstash/call-budget.ts";
import { spacePrefix } from "../../upstash/keys.ts";
import { listOf, type Reply, stringOf } from "../../upstash/reply.ts";
import type { Script } from "../../upstash/script.ts";
import type { Effect, UpstashRedis } from "../../upstash/upstash-redis.ts";

/** What a space in Redis is reached with. */
export interface UpstashSpaceOptions {
  readonly redis: UpstashRedis;
  readonly space: string;
  readonly random: Random;
  /** This node's. */
  readonly clock: Clock;
  /** Whose time counts; undefined: the server's own. */
  readonly time: Clock | undefined;
  readonly strict: boolean;
  readonly logMaxEntries: number;
}

/** What a script answered. */
export interface SpaceAnswer {
  readonly asOf: Position;
  /** The space's time at the answer; undefined: it had no need of it. */
  readonly nowMs: number | undefined;
  /** The version of the space's registrations. */
  readonly registrations: number;
  readonly rest: readonly Reply[];
}

/** A space in Redis as scripts see it. What their answers say of its log and its registrations is kept. */
export class UpstashSpace {
  readonly name: string;
  readonly prefix: string;
  readonly #options: UpstashSpaceOptions;
  #epoch = "";
  #revision = 0;
  #id = "";
  #registrations = 0;
  #life = 0;

  /** Throws `invalid_space`. */
  constructor(options: UpstashSpaceOptions) {
    this.#options = options;
    this.name = options.space;
    this.prefix = spacePrefix(options.space);
  }

  /** The newest registration version that any answer has mentioned. */
  get registrationsSeen(): number {
    return this.#registrations;
  }

  /** Grows when the space turns out to be another one than before. */
  get life(): number {
    return this.#life;
  }

  /** Identity of the space; empty before the first answer. */
  get id(): string {
    return this.#id;
  }

  get redis(): UpstashRedis {
    return this.#options.redis;
  }

  /** The time of a call that takes several scripts. Throws `invalid_argument`, `aborted`. */
  budget(limits: CallLimits | undefined): CallBudget {
    return new CallBudget(this.#options.clock, limits, this.#options.redis.timeoutMs);
  }

  /** Throws as {@link UpstashRedis.command}. */
  async run(
    script: Script,
    values: readonly string[],
    effect: Effect,
    limits: CallLimits | undefined,
  ): Promise<SpaceAnswer> {
    const { redis, random, time, strict, logMaxEntries } = this.#options;
    const now = time === undefined ? "" : `${Math.floor(time.now())}`;
    const seen = [this.#epoch, `${this.#revision}`, strict ? "1" : "0", `${logMaxEntries}`];
    const reply = await redis.script(
      script,
      [`${this.prefix}meta`],
      [randomHex(random, 8), now, ...seen, ...values],
      effect,
      limits,
    );
    const [stamp, ...rest] = listOf(reply);
    return { ...this.#take(stringOf(stamp)), rest };
  }

  #take(stamp: string): Omit<SpaceAnswer, "rest"> {
    const [epoch = "", revisionText, registrationsText, id = "", nowText = ""] = stamp.split(";");
    const revision = Number(revisionText);
    this.#revision = epoch === this.#epoch ? Math.max(this.#revision, revision) : revision;
    this.#epoch = epoch;
    if (id !== this.#id) {
      if (this.#id !== "") this.#life++;
      this.#id = id;
      this.#registrations = 0;
    }
    const registrations = Number(registrationsText);
    this.#registrations = Math.max(this.#registrations, registrations);
    const nowMs = nowText === "" ? undefined : Number(nowText);
    return { asOf: { shard: 0, epoch, revision }, nowMs, registrations };
  }
}
