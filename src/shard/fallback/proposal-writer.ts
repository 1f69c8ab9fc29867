import { WarpError } from "../../errors.ts";
import { isProposable } from "../../fallback/check.ts";
import type { PlacedProposal, ProposalPage, StreamPlace } from "../../fallback/fallback.ts";
import { comparePlaces, laterPlace, startPlace } from "../../fallback/place.ts";
import { isRefusal, type Verdict } from "../../protocol/shard-api.ts";
import type { SpaceSettings } from "../../protocol/space.ts";
import type { FollowMark } from "../follow-mark.ts";
import type { FollowerParts } from "../follow-slot.ts";
import type { Ledger } from "../ledger.ts";
import { refuse } from "../refusal.ts";
import { ProposalOperation } from "./proposal-operation.ts";

const unmarked: FollowMark = { applied: 0, repeated: 0, refused: 0, foreign: 0, losses: 0 };

/** Carries pages of the stream out: each in one commit with the place that it ends at, so that no proposal takes effect twice or is passed over. */
export class ProposalWriter {
  readonly #parts: FollowerParts;
  readonly #space: SpaceSettings;

  constructor(parts: FollowerParts, space: SpaceSettings) {
    this.#parts = parts;
    this.#space = space;
  }

  /** The ledger, if the shard is (still) a part of the space. */
  get ledger(): Ledger | undefined {
    const ledger = this.#parts.residence.open();
    return ledger?.space.id === this.#space.id && !ledger.deleting ? ledger : undefined;
  }

  /** How far the stream is applied. */
  get mark(): FollowMark {
    return this.ledger?.meta.followed ?? unmarked;
  }

  /** The place up to which everything is applied with this page, when that is durable. Throws what is in the way. */
  async apply(shard: number, page: ProposalPage, mark: FollowMark): Promise<StreamPlace | undefined> {
    const { proposals, head, applied } = page;
    const { recheck } = mark;
    const last = proposals.at(-1)?.place;
    // Another life of this shard has applied what this one never saw: the shard's own storage was set back.
    const isPassed = laterPlace(applied, mark.place) !== mark.place;
    const isLoss = page.gap === true || (isPassed && recheck === undefined);
    const reached = last ?? (page.gap ? head : isPassed ? applied : undefined);
    if (reached === undefined) return mark.place;
    const mine = proposals.filter((one) => one.spaceId === this.#space.id && isProposable(one.mutation));
    const isDoubtful = ({ place }: PlacedProposal): boolean =>
      recheck !== undefined && comparePlaces(place, recheck) <= 0;
    const operations = mine.map((one) => new ProposalOperation(one.mutation, isDoubtful(one)));
    const isOver = recheck !== undefined && comparePlaces(reached, recheck) >= 0;
    const { recheck: _, ...rest } = mark;
    await this.#carry(shard, mine, operations, mark, (verdicts) => ({
      ...(isOver ? rest : mark),
      place: reached,
      ...counted(mark, verdicts),
      foreign: mark.foreign + proposals.length - mine.length,
      losses: mark.losses + (isLoss ? 1 : 0),
    }));
    if (isLoss) this.#tell("the stream lacks proposals that it had taken", mark.place, reached);
    return reached;
  }

  /** The stream has lost its tail: what it has now is looked at from its beginning, and judged by op ids as far as places may be given anew. */
  async rewind(shard: number, mark: FollowMark): Promise<void> {
    const { place, ...rest } = mark;
    const recheck = laterPlace(mark.recheck, place) ?? startPlace;
    await this.#carry(shard, [], [], mark, () => ({ ...rest, recheck, losses: mark.losses + 1 }));
    this.#tell("the stream has lost what it had taken last", undefined, place);
  }

  /** What a node has proposed is not there, and was not applied. */
  async missed(shard: number, place: StreamPlace): Promise<void> {
    const { mark } = this;
    await this.#carry(shard, [], [], mark, () => ({ ...mark, losses: mark.losses + 1 }));
    this.#tell("the stream lacks what a node has proposed", mark.place, place);
  }

  async #carry(
    shard: number,
    proposals: readonly PlacedProposal[],
    operations: readonly ProposalOperation[],
    before: FollowMark,
    after: (verdicts: readonly Verdict[]) => FollowMark,
  ): Promise<void> {
    const registrations = proposals.reduce((most, one) => Math.max(most, one.registrations), 0);
    const scope = { space: this.#space.name, shard, spaceId: this.#space.id, registrations };
    const refusal = await this.#parts.writes.carry(
      scope,
      operations,
      // It may have waited for holders, and what it stands on be another's by now.
      (ledger) => (ledger.meta.followed?.place === before.place ? ledger : moved()),
      (ledger, verdicts) => {
        ledger.meta.followed = after(verdicts);
        for (const [at, verdict] of verdicts.entries()) {
          if (verdict.outcome === "fail") this.#refused(proposals[at], verdict.error.code);
        }
      },
    );
    if (refusal !== undefined && isRefusal(refusal)) throw WarpError.fromData(refusal.refused);
  }

  #refused(proposal: PlacedProposal | undefined, code: string): void {
    const { place, node, atMs } = proposal ?? {};
    this.#parts.report?.("a proposal was refused", { space: this.#space.name, place, node, atMs, code });
  }

  #tell(message: string, from: StreamPlace | undefined, to: StreamPlace | undefined): void {
    this.#parts.report?.(message, { space: this.#space.name, from, to });
  }
}

function counted(
  mark: FollowMark,
  verdicts: readonly Verdict[],
): Pick<FollowMark, "applied" | "repeated" | "refused"> {
  const refused = verdicts.filter(({ outcome }) => outcome === "fail").length;
  const repeated = verdicts.filter((one) => one.outcome === "ok" && one.replayed === true).length;
  return {
    applied: mark.applied + verdicts.length - refused,
    repeated: mark.repeated + repeated,
    refused: mark.refused + refused,
  };
}

function moved() {
  return refuse(new WarpError("unavailable", "the stream has been followed further meanwhile"));
}
