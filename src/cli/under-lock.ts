import type { Lock } from "../client/locks.ts";
import { isWarpError, WarpError } from "../errors.ts";
import { type Arguments, usageError } from "./arguments.ts";
import type { Flag } from "./command.ts";
import { failureLine } from "./failure.ts";
import type { Child, CliHost, EndSignal } from "./host.ts";
import { oneLine } from "./text.ts";

const notAcquired = 75;
const lost = 76;
/** How often it is looked for what an ended command has left behind, in ms. */
const lookMs = 50;
const signalNumbers: Readonly<Record<EndSignal, number>> = { SIGHUP: 1, SIGINT: 2, SIGTERM: 15 };

/** Flags of commands that run another one while they hold something. */
export const holdFlags: readonly Flag[] = [
  {
    name: "ttl",
    value: "TIME",
    help: "without a sign of life it ends after this time, 100ms to 24h; default 30s",
  },
  { name: "owner", value: "NAME", help: "under which name it is held; default random" },
  {
    name: "delay",
    value: "TIME",
    help: "keep the name closed for so long, up to 1m, after an end without a release; default not at all",
  },
  {
    name: "kill-after",
    value: "TIME",
    help: "time from SIGTERM to SIGKILL for a command that has lost it; default 5s",
  },
];

/** What {@link holdFlags} say. */
export function holdOptions(args: Arguments) {
  const ttlMs = args.durationMs("ttl");
  const delayMs = args.durationMs("delay");
  const owner = args.text("owner");
  return {
    ...(ttlMs === undefined ? {} : { ttlMs }),
    ...(delayMs === undefined ? {} : { delayMs }),
    ...(owner === undefined ? {} : { owner }),
  };
}

/** What a command is run with. */
export interface Work {
  readonly host: CliHost;
  readonly acquire: (signal: AbortSignal) => Promise<Lock>;
  readonly command: readonly string[];
  readonly killAfterMs: number;
  /** Trouble is told as problem documents. Default false. */
  readonly json?: boolean;
}

/** The work that arguments and flags name: the command begins at `from`. */
export function commandOf(args: Arguments, from: number): Pick<Work, "command" | "killAfterMs"> {
  const command = args.positionals.slice(from);
  if (command.length === 0) throw usageError("the command is missing: give it after --");
  return { command, killAfterMs: args.durationMs("kill-after") ?? 5_000 };
}

/**
 * Acquires, runs the command, gives back; gives the command's exit code, or one of its own. Signals go on to the command, so that it ends in its own way and the lock is given
 * back after it.
 */
export async function runUnder({ host, acquire, command, killAfterMs, json = false }: Work): Promise<number> {
  const waiting = new AbortController();
  let ended: EndSignal | undefined;
  const deaf = host.onSignal((signal) => {
    ended = signal;
    waiting.abort();
  });
  let lock: Lock;
  try {
    lock = await acquire(waiting.signal);
  } catch (error) {
    if (ended !== undefined) return 128 + signalNumbers[ended];
    if (!isWarpError(error, "lock_held")) throw error;
    await host.stderr.write(failureLine(error, json));
    return notAcquired;
  } finally {
    deaf();
  }
  if (ended === undefined) return await runHeld({ host, lock, command, killAfterMs, json });
  await lock[Symbol.asyncDispose]();
  return 128 + signalNumbers[ended];
}

async function runHeld(work: Omit<Required<Work>, "acquire"> & { readonly lock: Lock }): Promise<number> {
  const { host, lock, killAfterMs, json } = work;
  const [command = "", ...args] = work.command;
  const { name, fence, owner, signal } = lock;
  const env = { WARP_LOCK: name, WARP_FENCE: String(fence), WARP_OWNER: owner };
  let child: Child;
  try {
    child = host.spawn(command, args, env);
  } catch (error) {
    await lock[Symbol.asyncDispose]();
    throw error;
  }
  // A terminal sends its own signals to the command as well.
  const deaf = host.onSignal((sent) => {
    if (sent !== "SIGINT" || !host.stdin.isTTY) child.kill(sent);
  });
  let isKilled = false;
  let spare = (): void => undefined;
  const kill = (): void => {
    isKilled = true;
    child.kill("SIGKILL");
  };
  const stop = (): void => {
    child.kill("SIGTERM");
    spare = host.timers.after(killAfterMs, kill, { awaited: true });
  };
  if (signal.aborted) stop();
  else signal.addEventListener("abort", stop, { once: true });
  const code = await child.ended;
  const trouble = child.trouble();
  if (trouble !== undefined) await host.stderr.write(`warp: ${oneLine(command)}: ${oneLine(trouble)}\n`);
  // A script may end at once and leave what it had started behind.
  while (signal.aborted && !isKilled && child.leaves()) {
    await new Promise<void>((resolve) => void host.timers.after(lookMs, resolve, { awaited: true }));
  }
  spare();
  deaf();
  signal.removeEventListener("abort", stop);
  if (signal.aborted) return await tellLoss(host, signal.reason, json);
  try {
    if (await lock.release()) return code;
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    // The command is done; its lock ends by its time.
    await host.stderr.write(`warp: the lock could not be given back: ${oneLine(message)}\n`);
    return code;
  }
  return await tellLoss(host, undefined, json);
}

async function tellLoss(host: CliHost, reason: unknown, json: boolean): Promise<number> {
  const message = "the lock had been lost before the command ended";
  const error = isWarpError(reason, "lock_lost")
    ? reason
    : new WarpError("lock_lost", message, { cause: reason });
  await host.stderr.write(failureLine(error, json));
  return lost;
}
