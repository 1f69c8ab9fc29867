import { allowsPattern } from "../../auth/grant.ts";
import type { RegistrationOptions, StoredRegistration } from "../../core/types.ts";
import { WarpError } from "../../errors.ts";
import { checkPattern } from "../../protocol/key.ts";
import type { Call } from "../call.ts";
import { versionCondition } from "../conditions.ts";
import { json } from "../route.ts";
import { registrationBody } from "../schemas/registrations.ts";
import { decodeKey } from "../target.ts";

/** The pattern in the path: everything after `/registrations/`, decoded once. */
function patternOf(call: Call): string {
  const pattern = decodeKey(call.rest, "pattern");
  checkPattern(pattern);
  if (!allowsPattern(call.grant, pattern)) {
    throw new WarpError("forbidden", "the pattern lies outside the token's key prefixes");
  }
  return pattern;
}

function plain(registration: StoredRegistration): object {
  const { pattern, settings, version, source } = registration;
  return { pattern, ...settings, version, source };
}

function tagged(registration: StoredRegistration): { readonly ETag: string } {
  return { ETag: `"${registration.version}"` };
}

/** `GET …/registrations`. */
export async function listRegistrations(call: Call): Promise<Response> {
  const list = await call.warp.registrations(call.callOptions);
  // A token sees what lies within its prefixes.
  const seen = list.filter((item) => allowsPattern(call.grant, item.pattern));
  return json({ registrations: seen.map(plain) });
}

/** `GET …/registrations/{pattern}`. */
export async function getRegistration(call: Call): Promise<Response> {
  const pattern = patternOf(call);
  const list = await call.warp.registrations(call.callOptions);
  const found = list.find((item) => item.pattern === pattern);
  if (found === undefined) throw new WarpError("registration_not_found", "the pattern is not registered");
  return json(plain(found), 200, tagged(found));
}

/** `PUT …/registrations/{pattern}`. */
export async function putRegistration(call: Call): Promise<Response> {
  const pattern = patternOf(call);
  const ifVersion = versionCondition(call.request.headers);
  const body = await call.body(registrationBody, { whenEmpty: {} });
  const { registration, created } = await call.warp.register(pattern, body as RegistrationOptions, {
    ...call.callOptions,
    ...(ifVersion === undefined ? {} : { ifVersion }),
  });
  return json(plain(registration), created ? 201 : 200, tagged(registration));
}

/** `DELETE …/registrations/{pattern}`. */
export async function deleteRegistration(call: Call): Promise<Response> {
  const pattern = patternOf(call);
  if (call.request.headers.has("If-Match")) {
    throw new WarpError("invalid_argument", "removing a registration takes no If-Match");
  }
  if (!(await call.warp.unregister(pattern, call.callOptions))) {
    throw new WarpError("registration_not_found", "the pattern is not registered");
  }
  return json({ pattern, removed: true });
}
