import { WarpError } from "../../errors.ts";
import { checkKey } from "../../protocol/key.ts";
import type { Position } from "../../protocol/position.ts";
import type { CallLimits } from "../../runtime/call-limits.ts";
import { maxChangesLimit } from "../../runtime/limits.ts";
import type { CallBudget } from "../../upstash/call-budget.ts";
import { listOf, stringOf, textOf } from "../../upstash/reply.ts";
import type { ChangesAnswer, ListAnswer, ListedKey, ReadAnswer } from "../adapter.ts";
import { listCursor, type ResolvedList } from "../list-page.ts";
import { entryOf, listedKey, logEntry } from "./entries.ts";
import { changesScript, listScript, readScript } from "./scripts/reads.ts";
import type { SpaceAnswer, UpstashSpace } from "./upstash-space.ts";

/** Reads of a space in Redis. */
export class UpstashReads {
  readonly #space: UpstashSpace;

  constructor(space: UpstashSpace) {
    this.#space = space;
  }

  async getMany(keys: readonly string[], limits: CallLimits | undefined): Promise<readonly ReadAnswer[]> {
    const answers: ReadAnswer[] = [];
    await this.#each(keys, this.#space.budget(limits), (key, form, { asOf, nowMs }) => {
      answers.push({ key, entry: entryOf(key, form, asOf, nowMs), asOf });
    });
    return answers;
  }

  async list(request: ResolvedList, limits: CallLimits): Promise<ListAnswer> {
    const { prefix, limit, after, values } = request;
    if (after !== undefined && !after.startsWith(prefix)) {
      throw new WarpError("invalid_cursor", "a list's cursor is what the page before it gave, unchanged");
    }
    const budget = this.#space.budget(limits);
    for (let from = after ?? ""; ; ) {
      const words = [prefix, from, `${limit}`, values ? "1" : "0"];
      const { asOf, nowMs, rest } = await this.#space.run(listScript, words, "read", budget.next());
      const [told = [], more, at] = rest;
      const forms = listOf(told).map(stringOf);
      const items: ListedKey[] = [];
      for (let i = 0; i < forms.length; i += 2) {
        items.push(listedKey(textOf(forms[i] ?? ""), forms[i + 1] ?? "", asOf, nowMs));
      }
      if (more !== "1") return { items, cursor: undefined, asOf: [asOf] };
      from = textOf(stringOf(at)) || (items.at(-1)?.key ?? "");
      if (items.length > 0) return { items, cursor: listCursor(from, prefix), asOf: [asOf] };
    }
  }

  async changes(since: Position, limits: CallLimits | undefined): Promise<ChangesAnswer> {
    const words = [since.epoch, `${since.revision}`, `${maxChangesLimit}`];
    const { asOf, rest } = await this.#space.run(changesScript, words, "read", limits);
    const [how, entries = []] = rest;
    if (how === "epoch" || how === "compacted") return { changes: [], to: asOf, complete: true, gap: how };
    const changes = listOf(entries).map((entry) => logEntry(textOf(stringOf(entry))));
    const last = changes.at(-1);
    const revision = changes.length < maxChangesLimit ? asOf.revision : (last?.revision ?? asOf.revision);
    return { changes, to: { ...asOf, revision }, complete: revision === asOf.revision, gap: undefined };
  }

  /** Looks at a share of the names in Redis, and reads those that are values: what others wrote is taken in by being read. Gives where to go on. */
  async adopt(cursor: string, limits: CallLimits | undefined): Promise<string | undefined> {
    const budget = this.#space.budget(limits);
    const prefix = `${this.#space.prefix}v:`;
    const words = ["SCAN", cursor, "MATCH", `${prefix}*`, "COUNT", "500"];
    const [next = "0", found = []] = listOf(await this.#space.redis.command(words, "read", budget.next()));
    const keys = listOf(found).flatMap((name) => keyOf(stringOf(name), prefix.length));
    // To be looked at is all that it takes: a form that can't be read would otherwise end every later attempt, too.
    await this.#each(keys, budget, () => undefined);
    return next === "0" ? undefined : stringOf(next);
  }

  /** Tells what is stored under each key, in order. */
  async #each(
    keys: readonly string[],
    budget: CallBudget,
    take: (key: string, form: string, answer: SpaceAnswer) => void,
  ): Promise<void> {
    // An answer holds as many as fit.
    for (let done = 0; done < keys.length; ) {
      const asked = keys.slice(done);
      const answer = await this.#space.run(readScript, asked, "read", budget.next());
      const forms = listOf(answer.rest[0] ?? []);
      if (forms.length === 0) throw new WarpError("storage_unavailable", "the storage answered nothing");
      forms.forEach((form, at) => {
        take(asked[at] ?? "", stringOf(form), answer);
      });
      done += forms.length;
    }
  }
}

/** The key behind a name in Redis; none where it can't be one of ours. */
function keyOf(name: string, from: number): readonly string[] {
  try {
    const key = textOf(name).slice(from);
    checkKey(key);
    return [key];
  } catch {
    // Others may name theirs as they like; what is no key can't be read through Warp.
    return [];
  }
}
