/**
 * Resolves, with its reason, when this process is asked to end: by a signal, or by the end of the npm that started it (an npm that is
 * killed can't pass a signal on; its going is the asking). Without npm a parent's end means nothing: `nohup` and `disown` are at work.
 */
export function endAsked(): Promise<NodeJS.Signals> {
  return new Promise((done) => {
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => done(signal));
    if (process.env.npm_lifecycle_event === undefined) return;
    const parent = process.ppid;
    setInterval(() => {
      if (process.ppid !== parent) done("SIGTERM");
    }, 500).unref();
  });
}
