import type { Route } from "../route.ts";
import { aboutRoutes } from "./about.ts";
import { batchRoutes } from "./batch.ts";
import { exportRoutes } from "./export.ts";
import { healthRoutes } from "./health.ts";
import { importRoutes } from "./import.ts";
import { invalidateRoutes } from "./invalidate.ts";
import { keyRoutes } from "./keys.ts";
import { listRoutes } from "./list.ts";
import { registrationRoutes } from "./registrations.ts";
import { spaceRoutes } from "./spaces.ts";
import { tokenRoutes } from "./tokens.ts";

const resources: readonly Route[] = [
  ...keyRoutes,
  ...listRoutes,
  ...batchRoutes,
  ...invalidateRoutes,
  ...importRoutes,
  ...exportRoutes,
  ...registrationRoutes,
  ...spaceRoutes,
  ...tokenRoutes,
  ...healthRoutes,
];

/** All routes. */
export const routes: readonly Route[] = [...resources, ...aboutRoutes(resources)];
