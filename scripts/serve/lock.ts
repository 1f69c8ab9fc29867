import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as sleep } from "node:timers/promises";

/** Who serves a data folder; kept beside it for those who come second. */
export interface Holder {
  readonly pid: number;
  /** The runtime's process, once it has started. */
  readonly workerdPid?: number;
  readonly urls?: readonly string[];
}

/** The right to serve a data folder. */
export interface DataLock {
  /** Tells those who come second what this one does. */
  describe(holder: Omit<Holder, "pid">): void;
  release(): void;
}

/** The folder is served by somebody else. */
export class DataInUse extends Error {
  override readonly name = "DataInUse";
}

/**
 * Takes the data folder `folder`, which must exist. The lock is SQLite's own file lock: the system drops it with the process, so a
 * `kill -9` leaves nothing to clean up. Throws {@link DataInUse} if another process has it, or if the runtime that a killed process
 * left behind does not end within 5 s.
 */
export async function lockData(folder: string): Promise<DataLock> {
  const card = join(folder, "serve.json");
  const database = new DatabaseSync(join(folder, "serve.lock"));
  try {
    database.exec("BEGIN EXCLUSIVE");
  } catch (error) {
    database.close();
    if ((error as { errcode?: number }).errcode !== sqliteBusy) throw error;
    throw new DataInUse(`${folder} is served already${who(readCard(card))}`);
  }
  const left = readCard(card)?.workerdPid;
  for (let waited = 0; left !== undefined && isWorkerd(left); waited += 100) {
    if (waited >= 5_000) {
      database.close();
      throw new DataInUse(`${folder} is still in use by the runtime of a killed serve (pid ${left})`);
    }
    await sleep(100);
  }
  const describe = (holder: Omit<Holder, "pid">) =>
    writeFileSync(card, `${JSON.stringify({ pid: process.pid, ...holder })}\n`);
  describe({});
  return {
    describe,
    release: () => {
      writeFileSync(card, "{}\n");
      database.close();
    },
  };
}

const sqliteBusy = 5;

function readCard(card: string): Holder | undefined {
  if (!existsSync(card)) return undefined;
  try {
    const holder = JSON.parse(readFileSync(card, "utf8")) as Holder;
    return typeof holder.pid === "number" ? holder : undefined;
  } catch (error) {
    // Half a card is what a machine that lost its power leaves; it says nothing.
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function who(holder: Holder | undefined): string {
  if (holder === undefined) return "";
  const at = holder.urls === undefined ? "" : ` at ${holder.urls.join(" ")}`;
  return ` by process ${holder.pid}${at}`;
}

/** Whether `pid` lives and, where the system can tell, is a workerd: process ids are used again. */
function isWorkerd(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ESRCH") return false;
  }
  const command = `/proc/${pid}/comm`;
  if (!existsSync("/proc/self/comm")) return true;
  return existsSync(command) && readFileSync(command, "utf8").startsWith("workerd");
}
