/** `npm run modules`: what wrangler serves and deploys: the Worker's modules in dist/modules, the reference in public/. wrangler calls it before each build. */

import { join } from "node:path";
import { buildModules } from "./serve/modules.ts";
import { writeReference } from "./serve/reference.ts";
import { root } from "./steps.ts";

await Promise.all([
  buildModules(join(root, "src", "worker.ts"), join(root, "dist", "modules")),
  writeReference(join(root, "public", "reference")),
]);
