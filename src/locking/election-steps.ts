import type { ElectionEvent } from "../protocol/lock.ts";
import type { HintLedger } from "./lock-hints.ts";
import type { LockGrant, LockStore } from "./lock-store.ts";

/** What {@link ElectionSteps.after} finds. */
export interface ObservedSteps {
  readonly events: readonly ElectionEvent[];
  /** Go on after this. */
  readonly to: number;
  /** Steps before these were not kept. */
  readonly gap: boolean;
}

/**
 * The steps of elections, in order (rule LK15). Each is told at a revision taken when it happens, so that who goes on from the last one misses none: a leader that
 * was waited for is elected when it claims, long after its fence was given.
 */
export class ElectionSteps {
  readonly #store: LockStore;
  readonly #hints: HintLedger;

  constructor(store: LockStore, hints: HintLedger) {
    this.#store = store;
    this.#hints = hints;
  }

  elected(grant: LockGrant, nowMs: number): void {
    if (grant.kind !== "election") return;
    // Given and held at once: nothing can lie between.
    const revision = grant.ticket === undefined ? grant.fence : this.#store.reserve();
    this.#add(grant, { kind: "elected", revision, ...saidBy(grant) }, nowMs);
  }

  proclaimed(grant: LockGrant, nowMs: number): void {
    this.#add(grant, { kind: "proclaimed", revision: this.#store.reserve(), ...saidBy(grant) }, nowMs);
  }

  ended(grant: LockGrant, reason: NonNullable<ElectionEvent["reason"]>, nowMs: number): void {
    // Before a revision is taken: the release of any other lock takes none.
    if (grant.kind !== "election") return;
    this.#add(grant, { kind: "ended", revision: this.#store.reserve(), reason }, nowMs);
  }

  /** The steps after a revision; with none, or after a gap, the one that made the present leader what it is, if there is one. */
  after(name: string, after: number | undefined): ObservedSteps {
    const { events, floor } = this.#store.events(name, after ?? 0);
    const gap = after !== undefined && after < floor;
    if (after !== undefined && !gap) return { events, to: events.at(-1)?.revision ?? after, gap };
    const last = events.at(-1);
    const present = last === undefined || last.kind === "ended" ? [] : [last];
    return { events: present, to: last?.revision ?? floor, gap };
  }

  #add(grant: LockGrant, step: Omit<ElectionEvent, "owner" | "fence">, nowMs: number): void {
    const { name, owner, fence } = grant;
    this.#store.addEvent(name, { ...step, owner, fence }, nowMs);
    this.#hints.stepped(name);
  }
}

function saidBy({ value }: LockGrant): Pick<ElectionEvent, "value"> {
  return value === undefined ? {} : { value };
}
