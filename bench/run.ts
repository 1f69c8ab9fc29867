/** `npm run bench -- <name> [flags]`: runs one question's measurement; without a name lists them. */

import { spawn } from "node:child_process";
import { join } from "node:path";

const questions: Readonly<Record<string, { readonly file: string; readonly asks: string }>> = {
  "group-commit": {
    file: "group-commit.ts",
    asks: "what group commit gains for 128 clients with durable puts",
  },
  "hit-ratio": {
    file: "hit-ratio/hit-ratio.ts",
    asks: "how often each eviction policy hits on zipf, scan, loop and drift loads",
  },
  locks: {
    file: "locks.ts",
    asks: "acquire and release cycles per second, over HTTP and sockets, beside Redis",
  },
  l1: { file: "l1/peek.ts", asks: "what a hit in the memory cache costs beside a bare Map" },
};

const [name, ...flags] = process.argv.slice(2);
const question = name === undefined ? undefined : questions[name];
if (question === undefined) {
  for (const [known, { asks }] of Object.entries(questions)) console.log(`${known.padEnd(14)} ${asks}`);
  process.exitCode = name === undefined ? 0 : 2;
} else {
  const child = spawn(process.execPath, [join(import.meta.dirname, question.file), ...flags], {
    stdio: "inherit",
  });
  child.on("close", (code) => {
    process.exitCode = code ?? 1;
  });
}
