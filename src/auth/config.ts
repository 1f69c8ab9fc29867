import { WarpError } from "../errors.ts";
import { utf8Length } from "../runtime/bytes.ts";
import { minSecretBytes } from "../runtime/limits.ts";

/** Who is let in, validated. */
export interface AuthConfig {
  /** What signs tokens, and what an administrator shows as bearer. The first signs; all are accepted. Empty: none. */
  readonly secrets: readonly string[];
  /** No token is asked for, but only loopback hosts and origins are answered. Never together with a secret. */
  readonly open: boolean;
}

/** The environment strings that {@link readAuthConfig} reads. Absent and empty are the same. */
export interface AuthEnvironment {
  readonly WARP_SECRET?: string | undefined;
  readonly WARP_SECRET_PREVIOUS?: string | undefined;
  readonly WARP_OPEN?: string | undefined;
}

/** The refusal of a setting. The value itself stays out of the message: it may be a secret. */
export function wrongSetting(name: string, why: string): WarpError {
  return new WarpError("invalid_argument", `${name} ${why}`, { details: { setting: name } });
}

function secret(environment: AuthEnvironment, name: "WARP_SECRET" | "WARP_SECRET_PREVIOUS"): string[] {
  const text = environment[name] ?? "";
  if (text === "") return [];
  if (utf8Length(text) < minSecretBytes) {
    throw wrongSetting(name, `must have at least ${minSecretBytes} bytes`);
  }
  if (!/^[\x21-\x7e]+$/.test(text)) throw wrongSetting(name, "must be printable ASCII without spaces");
  return [text];
}

/**
 * - `WARP_SECRET`: at least 16 bytes of printable ASCII. Without it the deployment is closed, or open on loopback.
 * - `WARP_SECRET_PREVIOUS`: an older secret that is still accepted; wants `WARP_SECRET`.
 * - `WARP_OPEN`: only `loopback`. It opens a deployment that has no secret; with a secret, tokens are asked for all the same.
 *
 * Throws `invalid_argument` that names the setting.
 */
export function readAuthConfig(environment: AuthEnvironment): AuthConfig {
  const current = secret(environment, "WARP_SECRET");
  const previous = secret(environment, "WARP_SECRET_PREVIOUS");
  if (previous.length > 0 && current.length === 0) {
    throw wrongSetting("WARP_SECRET_PREVIOUS", "is set without WARP_SECRET");
  }
  const open = environment.WARP_OPEN ?? "";
  if (open !== "" && open !== "loopback") throw wrongSetting("WARP_OPEN", 'takes only "loopback"');
  return { secrets: [...current, ...previous], open: open === "loopback" && current.length === 0 };
}

/** Throws `deployment_closed` where there is neither a secret nor leave to answer without one. */
export function refuseIfClosed(config: AuthConfig): void {
  if (config.secrets.length > 0 || config.open) return;
  throw new WarpError("deployment_closed", "this deployment has no WARP_SECRET and answers health only");
}
