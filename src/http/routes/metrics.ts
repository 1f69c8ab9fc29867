import { later, type Route } from "../route.ts";

const load = () => import("../answers/index.ts");

/** The figures of the whole deployment. */
export const metricsRoutes: readonly Route[] = [
  {
    method: "GET",
    path: "/metrics",
    access: "caller",
    run: later(load, (answers) => answers.scrape),
  },
];
