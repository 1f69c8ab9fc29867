import { refuseIfClosed } from "../auth/config.ts";
import { allowsSpace, type Grant, requireVerb } from "../auth/grant.ts";
import { WarpError } from "../errors.ts";
import type { Call } from "./call.ts";
import type { Access, Guarded } from "./route.ts";
import { asksLater } from "./routes/connect.ts";
import { parseQuery } from "./target.ts";

/** Throws unless the caller may use a route like this. Its grant is the call's from then on. */
export async function authorize(call: Call, { access, takesQueryToken }: Guarded): Promise<void> {
  if (access === "public") return;
  if (access === "socket" && asksLater(call)) {
    refuseIfClosed(call.deployment.config);
    return;
  }
  const token = takesQueryToken === true ? parseQuery(call.target.search).token : undefined;
  const found =
    token === undefined
      ? call.authenticator.authenticate(call.authorization)
      : admitOnce(call, token, access);
  const grant = found instanceof Promise ? await found : found;
  call.grant = grant;
  checkGrant(call, grant, access);
}

function checkGrant(call: Call, grant: Grant, access: Access): void {
  if (access === "public" || access === "caller") return;
  if (!allowsSpace(grant, call.space)) {
    throw new WarpError("forbidden", "the space lies outside the token's spaces");
  }
  if (access !== "space" && access !== "socket") requireVerb(grant, access);
}

/** A token that does not allow the call is not spent by it. */
function admitOnce(call: Call, token: string, access: Access): Promise<Grant> {
  const { authenticator, authorization, deployment, space } = call;
  if (authorization !== null) {
    throw new WarpError("invalid_argument", "show one token: in Authorization or in the query", {
      details: { field: "token" },
    });
  }
  return authenticator.admitOnce(token, (id, grant) => {
    checkGrant(call, grant, access);
    if (deployment.redeem === undefined) {
      throw new WarpError("unsupported", "this host takes no tokens for one use");
    }
    return deployment.redeem({ space, id, endsAtMs: grant.expiresAtMs });
  });
}
