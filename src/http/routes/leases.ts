import { later, type Route } from "../route.ts";
import { grantBody, keepAliveBody, leaseKeysBody, leasePageQuery } from "../schemas/leases.ts";

const load = () => import("../locking/lease-answers.ts");

/** Leases: groups of keys that end together. */
export const leaseRoutes: readonly Route[] = [
  {
    method: "POST",
    path: "/v1/{space}/leases",
    access: "write",
    body: grantBody,
    run: later(load, (answers) => answers.grantLease),
  },
  {
    method: "GET",
    path: "/v1/{space}/leases",
    access: "read",
    query: leasePageQuery,
    run: later(load, (answers) => answers.listLeases),
  },
  {
    method: "POST",
    path: "/v1/{space}/leases/keepalive",
    access: "write",
    body: keepAliveBody,
    run: later(load, (answers) => answers.keepManyAlive),
  },
  {
    method: "GET",
    path: "/v1/{space}/leases/{id}",
    access: "read",
    run: later(load, (answers) => answers.showLease),
  },
  {
    method: "DELETE",
    path: "/v1/{space}/leases/{id}",
    access: "space",
    run: later(load, (answers) => answers.revokeLease),
  },
  {
    method: "POST",
    path: "/v1/{space}/leases/{id}/keepalive",
    access: "write",
    run: later(load, (answers) => answers.keepAlive),
  },
  {
    method: "GET",
    path: "/v1/{space}/leases/{id}/keys",
    access: "read",
    query: leasePageQuery,
    run: later(load, (answers) => answers.listKeys),
  },
  {
    method: "PUT",
    path: "/v1/{space}/leases/{id}/keys",
    access: "space",
    body: leaseKeysBody,
    run: later(load, (answers) => answers.changeKeys("attach")),
  },
  {
    method: "DELETE",
    path: "/v1/{space}/leases/{id}/keys",
    access: "space",
    body: leaseKeysBody,
    run: later(load, (answers) => answers.changeKeys("detach")),
  },
];
