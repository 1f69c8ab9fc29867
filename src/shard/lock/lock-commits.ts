import type { LockTable } from "../../locking/lock-table.ts";
import { asOfNow } from "../../locking/replays.ts";
import type { LockCommand, LockVerdict } from "../../protocol/lock.ts";
import { checkLockCommand, lockPrint } from "../../protocol/lock-rules.ts";
import { replayOf } from "../../protocol/outcomes.ts";
import type { VerdictTable } from "../verdict-table.ts";

/** What of a ledger commands work on. */
export interface CommandLedger {
  readonly locks: LockTable;
  readonly verdicts: VerdictTable;
}

/** How a command ended, and whether that was written down with it. */
export interface Carried {
  readonly verdict: LockVerdict;
  readonly isKept: boolean;
}

/**
 * Carries out one command inside the commit of its caller: checked, remembered under its op id (rule OU2), done by the table. `confirm` is remembered by nobody: it asks about
 * this very moment.
 */
export function carryOut(
  { locks, verdicts }: CommandLedger,
  command: LockCommand,
  nowMs: number,
  session: string | undefined,
): Carried {
  const wrong = checkLockCommand(command, nowMs);
  // Needs no memory: it would be refused again.
  if (wrong !== undefined) return { verdict: { outcome: "fail", error: wrong.toData() }, isKept: false };
  if (command.kind === "confirm") return { verdict: locks.run(command, nowMs, session), isKept: false };
  const print = lockPrint(command);
  const known = verdicts.find(command.opId);
  if (known !== undefined) {
    const verdict = replayOf<LockVerdict>(known, print);
    return { verdict: asOfNow(locks, command, verdict, nowMs), isKept: false };
  }
  const verdict = locks.run(command, nowMs, session);
  verdicts.keep(command.opId, nowMs, { print, verdict });
  return { verdict, isKept: true };
}

/** Whether a verdict says that something is, or may become, the caller's. */
export function claims(verdict: LockVerdict): boolean {
  return verdict.outcome === "ok" && (verdict.state === "held" || verdict.state === "offered");
}
