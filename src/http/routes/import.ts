import { later, type Route } from "../route.ts";

const load = () => import("../import-answer.ts");

/** Records in, as NDJSON. */
export const importRoutes: readonly Route[] = [
  {
    method: "POST",
    path: "/v1/{space}/import",
    access: "write",
    run: later(load, (answers) => answers.runImport),
  },
];
