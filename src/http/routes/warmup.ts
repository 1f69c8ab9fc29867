import { later, type Route } from "../route.ts";
import { warmupBody } from "../schemas/warmup.ts";

const load = () => import("../answers/index.ts");

/** Filling caches. */
export const warmupRoutes: readonly Route[] = [
  {
    method: "POST",
    path: "/v1/{space}/warmup",
    access: "read",
    body: warmupBody,
    run: later(load, (answers) => answers.startWarmup),
  },
];
