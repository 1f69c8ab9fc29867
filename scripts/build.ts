/** `npm run build`: the library into dist/lib, the Worker's production bundle into dist/worker. */

import { bundle } from "./serve/bundle.ts";
import { root, runSteps } from "./steps.ts";

if (await runSteps([{ name: "library", command: ["tsc", "-b"] }])) {
  const { worker, built } = await bundle(root);
  console.log(`\n${built ? "built" : "unchanged:"} ${worker.slice(root.length + 1)}`);
} else {
  process.exitCode = 1;
}
