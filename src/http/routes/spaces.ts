import { later, type Route } from "../route.ts";
import { spaceBody } from "../schemas/spaces.ts";

const load = () => import("../answers/index.ts");

/** Spaces themselves. */
export const spaceRoutes: readonly Route[] = [
  {
    method: "GET",
    path: "/v1/{space}",
    access: "read",
    run: later(load, (answers) => answers.getSpace),
  },
  {
    method: "PUT",
    path: "/v1/{space}",
    access: "admin",
    body: spaceBody,
    run: later(load, (answers) => answers.putSpace),
  },
  {
    method: "DELETE",
    path: "/v1/{space}",
    access: "admin",
    run: later(load, (answers) => answers.deleteSpace),
  },
];
