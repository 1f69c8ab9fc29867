/** `npm run reference`: the reference to the HTTP routes, as the files in public/ that the Worker serves. */

import { join } from "node:path";
import { writeReference } from "./serve/reference.ts";
import { root } from "./steps.ts";

await writeReference(join(root, "public", "reference"));
