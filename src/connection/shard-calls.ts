import { WarpError } from "../errors.ts";
import type { Position } from "../protocol/position.ts";
import type { ReadRequest, ShardStamp, StoredEntry } from "../protocol/shard-api.ts";
import type { SpaceSettings } from "../protocol/space.ts";
import type { Attempt } from "./attempt.ts";
import type { Intent, Send, SpaceSession } from "./space-session.ts";

/** An answer, and where in its shard's log it was true. */
export interface Placed<T> {
  readonly answer: T;
  readonly asOf: Position;
  /** The tenure (see `Pushes`) under which the node may hold it for strong reads; absent: it may not. */
  readonly tenure?: number;
}

/** The requests of one call: under one attempt and one picture of the space. */
export class ShardCalls {
  readonly space: SpaceSettings;
  readonly #session: SpaceSession;
  readonly #attempt: Attempt;

  constructor(session: SpaceSession, space: SpaceSettings, attempt: Attempt) {
    this.#session = session;
    this.space = space;
    this.#attempt = attempt;
  }

  /** Asks one shard. */
  async ask<R extends { readonly registrations: number }>(
    intent: Intent,
    shard: number,
    send: Send<R>,
  ): Promise<R> {
    const reply = await this.#session.send(this.#attempt, intent, this.space, shard, send);
    this.#session.see(reply.registrations, this.space.id);
    return reply;
  }

  /** Asks every shard the same, side by side; the replies stand in order. */
  askAll<R extends { readonly registrations: number }>(intent: Intent, send: Send<R>): Promise<readonly R[]> {
    return Promise.all(
      Array.from({ length: this.space.shards }, (_, shard) => this.ask(intent, shard, send)),
    );
  }

  /** Entries of one shard. A reply may stop before its end where values are large: the rest is asked for again. */
  async read(
    shard: number,
    keys: readonly string[],
    strong?: "read" | "hold",
  ): Promise<Placed<StoredEntry | undefined>[]> {
    const how: Pick<ReadRequest, "strong" | "hold"> = {
      ...(strong === undefined ? {} : { strong: true }),
      ...(strong === "hold" ? { hold: true } : {}),
    };
    const answers: Placed<StoredEntry | undefined>[] = [];
    while (answers.length < keys.length) {
      const rest = keys.slice(answers.length);
      const reply = await this.ask("read", shard, (api, scope) => api.read({ ...scope, ...how, keys: rest }));
      if (reply.entries.length === 0) throw new WarpError("internal", "a shard gave no answer to a read");
      const asOf = positionOf(shard, reply);
      const { tenure, held = [] } = reply;
      const holds = new Set(tenure === undefined ? [] : held);
      for (const [place, entry] of reply.entries.entries()) {
        const answer = { answer: entry ?? undefined, asOf };
        answers.push(tenure !== undefined && holds.has(place) ? { ...answer, tenure } : answer);
      }
    }
    return answers;
  }
}

/** The position that stands on a shard's reply. */
export function positionOf(shard: number, { epoch, asOf }: ShardStamp): Position {
  return { shard, epoch, revision: asOf };
}
