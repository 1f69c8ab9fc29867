import { later, type Route } from "../route.ts";
import { campaignBody, observeQuery, proclaimBody, releaseQuery } from "../schemas/locks.ts";

const load = () => import("../locking/election-answers.ts");

/** Elections: locks whose holder has something to say. */
export const electionRoutes: readonly Route[] = [
  {
    method: "POST",
    path: "/v1/{space}/elections/{name+}",
    access: "lock",
    body: campaignBody,
    run: later(load, (answers) => answers.campaign),
  },
  {
    method: "PATCH",
    path: "/v1/{space}/elections/{name+}",
    access: "lock",
    body: proclaimBody,
    run: later(load, (answers) => answers.proclaim),
  },
  {
    method: "GET",
    path: "/v1/{space}/elections/{name+}",
    access: "read",
    query: observeQuery,
    run: later(load, (answers) => answers.leader),
  },
  {
    method: "DELETE",
    path: "/v1/{space}/elections/{name+}",
    access: "space",
    query: releaseQuery,
    run: later(load, (answers) => answers.endGrant),
  },
];
