import { later, type Route } from "../route.ts";
import { exportQuery } from "../schemas/list.ts";

const load = () => import("../answers/index.ts");

/** Records out, as NDJSON. */
export const exportRoutes: readonly Route[] = [
  {
    method: "GET",
    path: "/v1/{space}/export",
    access: "read",
    query: exportQuery,
    run: later(load, (answers) => answers.exportKeys),
  },
];
