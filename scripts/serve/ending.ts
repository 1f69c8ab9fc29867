import { readFileSync } from "node:fs";

/**
 * Resolves, with its reason, when this process is asked to end: by a signal, or by the end of the npm that started it (an npm that is
 * killed can't pass a signal on; its going is the asking). Without npm a parent's end means nothing: `nohup` and `disown` are at work.
 */
export function endAsked(): Promise<NodeJS.Signals> {
  return new Promise((done) => {
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => done(signal));
    if (process.env.npm_lifecycle_event === undefined) return;
    const before = ancestors();
    setInterval(() => {
      if (ancestors() !== before) done("SIGTERM");
    }, 500).unref();
  });
}

/** Parent and, where the system tells, its parent: npm puts a shell between itself and us, and the shell survives it. */
function ancestors(): string {
  const { ppid } = process;
  try {
    const stat = readFileSync(`/proc/${ppid}/stat`, "latin1");
    return `${ppid} ${stat.slice(stat.lastIndexOf(")") + 1).split(" ")[2]}`;
  } catch {
    return String(ppid); // no /proc on this system, or the parent ended this very moment
  }
}
