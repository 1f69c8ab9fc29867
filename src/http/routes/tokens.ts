import { later, type Route } from "../route.ts";
import { tokenBody } from "../schemas/tokens.ts";

const load = () => import("../answers/index.ts");

/** Scoped tokens. */
export const tokenRoutes: readonly Route[] = [
  {
    method: "POST",
    path: "/tokens",
    access: "caller",
    body: tokenBody,
    run: later(load, (answers) => answers.mintToken),
  },
];
