import { later, type Route } from "../route.ts";
import { resolveQuery, sealBody } from "../schemas/operations.ts";

const load = () => import("../answers/index.ts");

/** What became of operations whose answer was lost. */
export const operationRoutes: readonly Route[] = [
  {
    method: "GET",
    path: "/v1/{space}/operations/{operation}",
    access: "space",
    query: resolveQuery,
    run: later(load, (answers) => answers.resolveOperation),
  },
  {
    method: "POST",
    path: "/v1/{space}/operations/{operation}/seal",
    access: "space",
    body: sealBody,
    run: later(load, (answers) => answers.sealOperation),
  },
];
