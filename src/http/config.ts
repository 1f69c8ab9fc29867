import { WarpError } from "../errors.ts";
import { parseMaxValueBytes } from "../protocol/config.ts";
import { utf8Length } from "../runtime/bytes.ts";
import { minSecretBytes } from "../runtime/limits.ts";

/** Settings of the HTTP edge, validated. */
export interface HttpConfig {
  /** What signs tokens, and what an administrator shows as bearer. The first signs; all are accepted. Empty: none. */
  readonly secrets: readonly string[];
  /** No token is asked for, but only loopback hosts and origins are answered. Never together with a secret. */
  readonly open: boolean;
  /** Origins that browsers may call from: exact ones, or `"*"`. */
  readonly origins: readonly string[];
  /** Largest value, in bytes. */
  readonly maxValueBytes: number;
  /** The deployment's version, shown by `/healthz`. */
  readonly version: string;
}

/** The environment strings that {@link readHttpConfig} reads. Absent and empty are the same. */
export interface HttpEnvironment {
  readonly WARP_SECRET?: string | undefined;
  readonly WARP_SECRET_PREVIOUS?: string | undefined;
  readonly WARP_OPEN?: string | undefined;
  readonly WARP_CORS_ORIGINS?: string | undefined;
  readonly WARP_MAX_VALUE_BYTES?: string | undefined;
}

function wrong(name: string, why: string): WarpError {
  // The value itself stays out of the message: it may be a secret.
  return new WarpError("invalid_argument", `${name} ${why}`, { details: { setting: name } });
}

function secret(environment: HttpEnvironment, name: "WARP_SECRET" | "WARP_SECRET_PREVIOUS"): string[] {
  const text = environment[name] ?? "";
  if (text === "") return [];
  if (utf8Length(text) < minSecretBytes) throw wrong(name, `must have at least ${minSecretBytes} bytes`);
  if (!/^[\x21-\x7e]+$/.test(text)) throw wrong(name, "must be printable ASCII without spaces");
  return [text];
}

const originForm = /^[a-z][a-z0-9+.-]*:\/\/(?:\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::[0-9]{1,5})?$/;

function origins(text: string): string[] {
  const list = text
    .split(",")
    .map((part) => part.trim())
    .filter((part) => part !== "");
  for (const origin of list) {
    if (origin !== "*" && !originForm.test(origin)) {
      throw wrong(
        "WARP_CORS_ORIGINS",
        `has "${origin}": an origin is scheme://host[:port] in lower case, or *`,
      );
    }
  }
  return list;
}

/**
 * The settings in `environment`.
 *
 * - `WARP_SECRET`: at least 16 bytes of printable ASCII. Without it the deployment is closed, or open on loopback.
 * - `WARP_SECRET_PREVIOUS`: an older secret that is still accepted; wants `WARP_SECRET`.
 * - `WARP_OPEN`: only `loopback`. It opens a deployment that has no secret; with a secret, tokens are asked for all the same.
 * - `WARP_CORS_ORIGINS`: comma separated.
 * - `WARP_MAX_VALUE_BYTES`: 1 to 1,900,000; default 1,048,576.
 *
 * Throws `invalid_argument` that names the setting.
 */
export function readHttpConfig(environment: HttpEnvironment, version = "0.0.0"): HttpConfig {
  const current = secret(environment, "WARP_SECRET");
  const previous = secret(environment, "WARP_SECRET_PREVIOUS");
  if (previous.length > 0 && current.length === 0) {
    throw wrong("WARP_SECRET_PREVIOUS", "is set without WARP_SECRET");
  }
  const open = environment.WARP_OPEN ?? "";
  if (open !== "" && open !== "loopback") throw wrong("WARP_OPEN", 'takes only "loopback"');
  return {
    secrets: [...current, ...previous],
    open: open === "loopback" && current.length === 0,
    origins: origins(environment.WARP_CORS_ORIGINS ?? ""),
    maxValueBytes: parseMaxValueBytes(environment.WARP_MAX_VALUE_BYTES),
    version,
  };
}

/** Throws `deployment_closed` where there is neither a secret nor leave to answer without one. */
export function refuseIfClosed(config: HttpConfig): void {
  if (config.secrets.length > 0 || config.open) return;
  throw new WarpError("deployment_closed", "this deployment has no WARP_SECRET and answers health only");
}
