import type { Route } from "../route.ts";
import { aboutRoutes } from "./about.ts";
import { batchRoutes } from "./batch.ts";
import { connectRoutes } from "./connect.ts";
import { electionRoutes } from "./elections.ts";
import { exportRoutes } from "./export.ts";
import { healthRoutes } from "./health.ts";
import { importRoutes } from "./import.ts";
import { invalidateRoutes } from "./invalidate.ts";
import { keyRoutes } from "./keys.ts";
import { leaseRoutes } from "./leases.ts";
import { listRoutes } from "./list.ts";
import { lockRoutes } from "./locks.ts";
import { metricsRoutes } from "./metrics.ts";
import { operationRoutes } from "./operations.ts";
import { publishRoutes } from "./publish.ts";
import { referenceRoutes } from "./reference.ts";
import { registrationRoutes } from "./registrations.ts";
import { spaceRoutes } from "./spaces.ts";
import { tokenRoutes } from "./tokens.ts";
import { transactionRoutes } from "./txn.ts";
import { versionRoutes } from "./versions.ts";
import { warmupRoutes } from "./warmup.ts";
import { watchRoutes } from "./watch.ts";

/** All routes. */
export const routes: readonly Route[] = [
  ...keyRoutes,
  ...versionRoutes,
  ...listRoutes,
  ...batchRoutes,
  ...transactionRoutes,
  ...operationRoutes,
  ...invalidateRoutes,
  ...warmupRoutes,
  ...publishRoutes,
  ...watchRoutes,
  ...importRoutes,
  ...exportRoutes,
  ...lockRoutes,
  ...electionRoutes,
  ...leaseRoutes,
  ...registrationRoutes,
  ...spaceRoutes,
  ...connectRoutes,
  ...tokenRoutes,
  ...metricsRoutes,
  ...healthRoutes,
  ...aboutRoutes(() => routes),
  ...referenceRoutes,
];
