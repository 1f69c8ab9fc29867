import { later, type Route } from "../route.ts";
import { registrationBody } from "../schemas/registrations.ts";

const load = () => import("../answers/index.ts");

/** Policies of key patterns. */
export const registrationRoutes: readonly Route[] = [
  {
    method: "GET",
    path: "/v1/{space}/registrations",
    access: "read",
    run: later(load, (answers) => answers.listRegistrations),
  },
  {
    method: "GET",
    path: "/v1/{space}/registrations/{pattern+}",
    access: "read",
    run: later(load, (answers) => answers.getRegistration),
  },
  {
    method: "PUT",
    path: "/v1/{space}/registrations/{pattern+}",
    access: "admin",
    body: registrationBody,
    run: later(load, (answers) => answers.putRegistration),
  },
  {
    method: "DELETE",
    path: "/v1/{space}/registrations/{pattern+}",
    access: "admin",
    run: later(load, (answers) => answers.deleteRegistration),
  },
];
