/**
 * `npm run dev`: wrangler's own development server with live reload, open on loopback, data under `.warp/dev`. Further flags go to
 * wrangler: `npm run dev -- --port 9000`.
 */

import { spawn } from "node:child_process";
import { createRequire } from "node:module";
import { dirname, join, resolve } from "node:path";
import { quietWrangler } from "./serve/bundle.ts";
import { endAsked } from "./serve/ending.ts";

const root = resolve(import.meta.dirname, "..");
const wrangler = dirname(createRequire(import.meta.url).resolve("wrangler/package.json"));
const flags = process.argv.slice(2);

// What would open the doors to others: this deployment asks nobody for a token.
const refused = flags.find((flag) => /^(--ip|--remote|-r|--tunnel)(=|$)/.test(flag));
if (refused !== undefined) {
  console.error(
    `warp: dev is open to every caller, so it stays on loopback: no ${refused}; see npm run serve -- --help`,
  );
  process.exit(2);
}

const interactive = process.stdin.isTTY === true;
const child = spawn(
  process.execPath,
  [
    join(wrangler, "bin", "wrangler.js"),
    ...["dev", "--ip", "127.0.0.1", "--var", "WARP_OPEN:loopback"],
    ...["--show-interactive-dev-session", String(interactive)],
    ...(flags.includes("--persist-to") ? [] : ["--persist-to", join(root, ".warp", "dev")]),
    ...flags,
  ],
  {
    cwd: root,
    env: quietWrangler(process.env),
    stdio: "inherit",
    // A process group of its own, so that a signal reaches all that wrangler starts. At a terminal the terminal does that.
    detached: !interactive,
  },
);

let asked = false;
void endAsked().then((signal) => {
  asked = true;
  signalAll(signal);
  // A wrangler that hangs in its own farewell doesn't keep us.
  setTimeout(() => signalAll("SIGKILL"), 5_000).unref();
});

child.on("exit", (code) => {
  signalAll("SIGKILL"); // what wrangler left of its group
  process.exitCode = asked ? 0 : (code ?? 1);
});

function signalAll(signal: NodeJS.Signals): void {
  if (child.pid === undefined || (interactive && child.exitCode !== null)) return;
  try {
    process.kill(interactive ? child.pid : -child.pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}
