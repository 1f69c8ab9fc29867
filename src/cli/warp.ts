#!/usr/bin/env node
/** The command `warp`: see `docs/cli.md`. */

import { processHost } from "./process-host.ts";
import { run } from "./run.ts";

// Not process.exit(): what was written to a pipe must arrive.
process.exitCode = await run(process.argv.slice(2), processHost());
