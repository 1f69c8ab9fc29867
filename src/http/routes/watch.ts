import { later, type Route } from "../route.ts";
import { changesQuery, watchQuery } from "../schemas/watch.ts";

const load = () => import("../watch/answers.ts");

/** What happens, as it happens. */
export const watchRoutes: readonly Route[] = [
  {
    method: "GET",
    path: "/v1/{space}/watch",
    access: "read",
    takesQueryToken: true,
    query: watchQuery,
    run: later(load, (answers) => answers.watch),
  },
  {
    method: "GET",
    path: "/v1/{space}/changes",
    access: "read",
    takesQueryToken: true,
    query: changesQuery,
    run: later(load, (answers) => answers.changes),
  },
];
