import { type AuthConfig, type AuthEnvironment, readAuthConfig, wrongSetting } from "../auth/config.ts";
import {
  parseMaxValueBytes,
  parseSessionBounds,
  parseWhole,
  type SessionEnvironment,
} from "../protocol/config.ts";
import { defaultRotateMs, maxRotateMs, minRotateMs } from "../runtime/limits.ts";

/** Settings of the HTTP edge, validated. */
export interface HttpConfig extends AuthConfig {
  /** Origins that browsers may call from: exact ones, or `"*"`. */
  readonly origins: readonly string[];
  /** Largest value, in bytes. */
  readonly maxValueBytes: number;
  /** How long a stream of `watch` lives, in ms. */
  readonly rotateMs: number;
  /** The deployment's version, shown by `/healthz`. */
  readonly version: string;
}

/** The environment strings that {@link readHttpConfig} reads. Absent and empty are the same. */
export interface HttpEnvironment extends AuthEnvironment, SessionEnvironment {
  readonly WARP_CORS_ORIGINS?: string | undefined;
  readonly WARP_MAX_VALUE_BYTES?: string | undefined;
  readonly WARP_SSE_ROTATE_MS?: string | undefined;
}

const originForm = /^[a-z][a-z0-9+.-]*:\/\/(?:\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::[0-9]{1,5})?$/;

function origins(text: string): string[] {
  const list = text
    .split(",")
    .map((part) => part.trim())
    .filter((part) => part !== "");
  for (const origin of list) {
    if (origin !== "*" && !originForm.test(origin)) {
      throw wrongSetting(
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
 * - `WARP_SECRET`, `WARP_SECRET_PREVIOUS`, `WARP_OPEN`: see {@link readAuthConfig}.
 * - `WARP_CORS_ORIGINS`: comma separated.
 * - `WARP_MAX_VALUE_BYTES`: 1 to 1,900,000; default 1,048,576.
 * - Those of {@link parseSessionBounds}.
 * - `WARP_SSE_ROTATE_MS`: 1,000 to 86,400,000; default 600,000.
 *
 * Throws `invalid_argument` that names the setting.
 */
export function readHttpConfig(environment: HttpEnvironment, version = "0.0.0"): HttpConfig {
  // The objects read these; that they are wrong is said here, where whoever has deployed it will see it.
  parseSessionBounds(environment);
  return {
    ...readAuthConfig(environment),
    origins: origins(environment.WARP_CORS_ORIGINS ?? ""),
    maxValueBytes: parseMaxValueBytes(environment.WARP_MAX_VALUE_BYTES),
    rotateMs: parseWhole(
      "WARP_SSE_ROTATE_MS",
      environment.WARP_SSE_ROTATE_MS,
      defaultRotateMs,
      minRotateMs,
      maxRotateMs,
    ),
    version,
  };
}
