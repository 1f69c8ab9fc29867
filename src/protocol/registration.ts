/** How far a read from L1 may lag: see `docs/core.md`. go-warp's names are accepted as aliases when registering. */
export type Mode = "local" | "eventual" | "strong";

/**
 * The policy of a key pattern, resolved: every field is there. `cacheTtlMs` bounds copies only; data stays until it is
 * deleted or its own `expiresInMs` ends.
 */
export interface RegistrationSettings {
  readonly mode: Mode;
  /** Life of a copy in L1: 1 ms to 30 days. Default 300,000. */
  readonly cacheTtlMs: number;
  /** Eventual mode only: 1 ms to 1 h. Default 5,000. */
  readonly maxStalenessMs: number;
}

/** A registration as its space keeps it. */
export interface StoredRegistration {
  readonly pattern: string;
  readonly settings: RegistrationSettings;
  /** Revision of its last change in shard 0; 0 for a static one, which only the deployment's configuration changes. */
  readonly version: number;
  readonly source: "space" | "static";
}

/** Whether two resolved policies are the same. */
export function sameSettings(a: RegistrationSettings, b: RegistrationSettings): boolean {
  return a.mode === b.mode && a.cacheTtlMs === b.cacheTtlMs && a.maxStalenessMs === b.maxStalenessMs;
}
