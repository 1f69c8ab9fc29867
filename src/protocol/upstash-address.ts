import { WarpError } from "../errors.ts";

/** The name under which spaces choose what stands on the deployment's Upstash database, as storage and as fallback. */
export const upstashName = "upstash";

/** Where an Upstash database is, and what opens it. */
export interface UpstashAddress {
  /** Of the REST API: `https://….upstash.io`. */
  readonly url: string;
  readonly token: string;
}

/** The variables of a deployment that has an Upstash database: both or none. Absent and empty are the same. */
export interface UpstashEnvironment {
  readonly UPSTASH_REDIS_REST_URL?: string | undefined;
  readonly UPSTASH_REDIS_REST_TOKEN?: string | undefined;
}

/** Throws `invalid_argument` that names the field, here called by other names if need be. Tokens and URLs are not quoted. */
export function checkUpstashAddress(
  url: unknown,
  token: unknown,
  names = { url: "url", token: "token" },
): void {
  if (typeof url !== "string" || !/^https?:\/\/[^\s#$./?]\S*$/.test(url)) {
    throw wrong(names.url, "is the https:// address of the database's REST API");
  }
  if (typeof token !== "string" || !/^[\x21-\x7e]+$/.test(token)) {
    throw wrong(names.token, "is the database's REST token, without spaces");
  }
}

/** The database in the variables; undefined: there is none. Throws `invalid_argument` that names the variable. */
export function parseUpstash(env: UpstashEnvironment): UpstashAddress | undefined {
  const { UPSTASH_REDIS_REST_URL: url = "", UPSTASH_REDIS_REST_TOKEN: token = "" } = env;
  if (url === "" && token === "") return undefined;
  checkUpstashAddress(url, token, { url: "UPSTASH_REDIS_REST_URL", token: "UPSTASH_REDIS_REST_TOKEN" });
  return { url, token };
}

function wrong(field: string, what: string): WarpError {
  return new WarpError("invalid_argument", `${field} ${what}`, { details: { field } });
}
