/** `npm run drivers`: the table of all drivers, `docs/drivers.md`, from what they say of themselves. */

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { families } from "./drivers/families.ts";
import { driversPage } from "./drivers/page.ts";
import { root } from "./steps.ts";

const contractOf = ({ folder, contract }: (typeof families)[number]): string =>
  readFileSync(join(root, "src", folder, `${contract}.ts`), "utf8");
writeFileSync(join(root, "docs", "drivers.md"), driversPage(families, contractOf));
// Some of them have timers.
process.exit(0);
