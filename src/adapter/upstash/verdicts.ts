import { WarpError } from "../../errors.ts";
import { payloadOf, subjectOf, writes } from "../../protocol/mutation.ts";
import { type KnownOutcome, replayOf, sealedOutcome } from "../../protocol/outcomes.ts";
import { checkRegistered, preconditionFailed } from "../../protocol/plan.ts";
import { envelopeBody } from "../../upstash/envelope.ts";
import type { Mutation, Precondition, Verdict } from "../adapter.ts";

const letters = {
  set: "s",
  delete: "d",
  invalidate: "i",
  invalidatePrefix: "p",
  invalidateTag: "t",
} as const;

/** A mutation as the batch script takes it. `isCovered`: a registration speaks for its key. */
export function mutationArguments(
  mutation: Extract<Mutation, { kind: keyof typeof letters }>,
  print: string,
  isCovered: boolean,
): readonly string[] {
  const write = writes(mutation) ? mutation : undefined;
  const body = write === undefined ? "" : envelopeBody(payloadOf(write), write.tags);
  const life = write?.expiresInMs === undefined ? "" : `${write.expiresInMs}`;
  const when = "when" in mutation ? condition(mutation.when) : "";
  const covered = isCovered ? "1" : "0";
  return [letters[mutation.kind], subjectOf(mutation), mutation.opId, print, body, life, when, covered];
}

/** Tags that are of no tag's form match nothing; left out, they can't be taken for others either. */
function condition(when: Precondition | undefined): string {
  if (when === undefined) return "";
  const [any, tags] = "anyOf" in when ? [true, when.anyOf] : [false, when.noneOf];
  if (tags === "*") return any ? "e" : "a";
  const formed = tags.filter((tag) => /^[0-9a-f]{16}\.[0-9]+$/.test(tag));
  return `${any ? "i" : "x"},${formed.map((tag) => `${tag},`).join("")}`;
}

/** Why the storage can't carry out a mutation of this kind; undefined: it can. */
export function unsupportedMutation(mutation: Mutation): WarpError | undefined {
  if (mutation.kind === "restore") return unsupported("versions");
  if (mutation.kind === "merge") return unsupported("merge rules");
  if ("guard" in mutation && mutation.guard !== undefined) return unsupported("locks beside its keys");
  if (mutation.kind === "set" && mutation.lease !== undefined) return unsupported("leases");
  return undefined;
}

/** The refusal of what the storage lacks. */
export function unsupported(what: string): WarpError {
  return new WarpError("unsupported", `this storage has no ${what}`);
}

/** The verdict that the batch script gave for a mutation. */
export function verdictOf(answer: string): Verdict {
  const verdict = recordedVerdict(answer.slice(1));
  if (answer.startsWith("N")) return verdict;
  if (answer.startsWith("R")) return { ...verdict, replayed: true };
  // Some other operation's, whatever it came to.
  return replayOf<Verdict>({ print: "", verdict }, "another");
}

/** What is remembered under an op id; undefined: nothing. */
export function outcomeOf(record: string, isPart: boolean): KnownOutcome | undefined {
  if (record === "") return undefined;
  const at = record.indexOf(";");
  const text = record.slice(at + 1);
  if (text === "s") return sealedOutcome;
  return { print: record.slice(0, at), verdict: recordedVerdict(text), part: isPart };
}

function recordedVerdict(text: string): Verdict {
  const [kind, first, second, third] = text.split(";");
  if (kind === "o") {
    return { outcome: "ok", version: Number(first), revision: Number(second), existed: third === "1" };
  }
  if (kind === "p") return refused(precondition(Number(first)));
  if (kind === "n") return refused(unregistered());
  return sealedOutcome.verdict as Verdict;
}

function precondition(version: number): WarpError {
  const message = version === 0 ? "the key does not exist" : "the key is at another version";
  return preconditionFailed(message, { version });
}

function unregistered(): WarpError {
  try {
    checkRegistered({ strict: true }, undefined);
  } catch (error) {
    if (error instanceof WarpError) return error;
  }
  return new WarpError("unregistered", "no registration covers this key");
}

/** A definite refusal as a verdict. */
export function refused(error: WarpError): Verdict {
  return { outcome: "fail", error: error.toData() };
}
