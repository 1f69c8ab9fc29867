import { later, type Route } from "../route.ts";
import { acquireBody, lockListQuery, releaseQuery, renewBody, statusQuery } from "../schemas/locks.ts";

const load = () => import("../locking/lock-answers.ts");

/** Locks. */
export const lockRoutes: readonly Route[] = [
  {
    method: "POST",
    path: "/v1/{space}/locks/{name+}",
    access: "lock",
    body: acquireBody,
    run: later(load, (answers) => answers.acquireLock),
  },
  {
    method: "PATCH",
    path: "/v1/{space}/locks/{name+}",
    access: "lock",
    body: renewBody,
    run: later(load, (answers) => answers.renewLock),
  },
  {
    method: "GET",
    path: "/v1/{space}/locks/{name+}",
    access: "space",
    query: statusQuery,
    run: later(load, (answers) => answers.showLock),
  },
  {
    method: "DELETE",
    path: "/v1/{space}/locks/{name+}",
    access: "space",
    query: releaseQuery,
    run: later(load, (answers) => answers.endGrant),
  },
  {
    method: "GET",
    path: "/v1/{space}/locks",
    access: "read",
    query: lockListQuery,
    run: later(load, (answers) => answers.listLocks),
  },
];
