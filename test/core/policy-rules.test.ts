import { describe, expect, it } from "vitest";
import { resolveSettings } from "../../src/core/policy.ts";
import { parseStaticRegistrations } from "../../src/core/static-registrations.ts";
import type { RegistrationOptions } from "../../src/core/types.ts";
import { isWarpError } from "../../src/errors.ts";
import { coreBed } from "../support/core-bed.ts";

const window = { kind: "window", windowMs: 50, threshold: 2, coldTtlMs: 10, hotTtlMs: 100 } as const;
const growing = { kind: "multiplicative", factor: 2, minTtlMs: 10, maxTtlMs: 400_000 } as const;
const frequency = { withinMs: 10, incrementMs: 1, decrementMs: 1, minTtlMs: 10, maxTtlMs: 400_000 };

/** Each is refused, and the refusal names the field. */
const refused: readonly (readonly [field: string, options: unknown])[] = [
  ["graceMs", { graceMs: 0 }],
  ["graceMs", { graceMs: 2_592_000_001 }],
  ["graceMs", { graceMs: "1s" }],
  ["softTimeoutMs", { softTimeoutMs: 10 }],
  ["softTimeoutMs", { graceMs: 1, softTimeoutMs: 120_001 }],
  ["hardTimeoutMs", { graceMs: 1, softTimeoutMs: 10, hardTimeoutMs: 9 }],
  ["eagerRefresh", { eagerRefresh: 0 }],
  ["eagerRefresh", { eagerRefresh: 1 }],
  ["eagerRefresh", { eagerRefresh: Number.NaN }],
  ["sliding", { sliding: true }],
  ["sliding", { sliding: "yes" }],
  ["sliding", { sliding: true, maxLifeMs: 400_000, adaptive: window }],
  ["maxLifeMs", { maxLifeMs: 400_000 }],
  ["maxLifeMs", { cacheTtlMs: 1_000, sliding: true, maxLifeMs: 999 }],
  ["maxLifeMs", { cacheTtlMs: 20, sliding: true, maxLifeMs: 1_000, frequency }],
  ["jitter", { jitter: 0 }],
  ["jitter", { jitter: 0.51 }],
  ["jitter", { jitter: 0.1, adaptive: window }],
  ["adaptive", { adaptive: [] }],
  ["adaptive.kind", { adaptive: { kind: "magic" } }],
  ["adaptive.coldTtlMs", { adaptive: { ...window, coldTtlMs: 101 } }],
  ["adaptive.windowMs", { adaptive: { ...window, windowMs: 3_600_001 } }],
  ["adaptive.threshold", { adaptive: { ...window, threshold: 0 } }],
  ["adaptive.factor", { adaptive: { ...growing, factor: 1 } }],
  ["adaptive.minTtlMs", { adaptive: { ...growing, minTtlMs: 400_001 } }],
  ["adaptive.speed", { adaptive: { ...growing, speed: 1 } }],
  ["frequency", { adaptive: window, frequency }],
  ["frequency.minTtlMs", { frequency: { ...frequency, minTtlMs: 400_001 } }],
  ["frequency.withinMs", { frequency: { ...frequency, withinMs: 0 } }],
  ["cacheTtlMs", { cacheTtlMs: 5, frequency }],
  ["cacheTtlMs", { cacheTtlMs: 5, adaptive: growing }],
  ["negativeTtlMs", { negativeTtlMs: 3_600_001 }],
  ["allowStale", { allowStale: true }],
  ["history", { history: {} }],
  ["history.versions", { history: { versions: 10_001 } }],
  ["history.ageMs", { history: { ageMs: 999 } }],
  ["history.count", { history: { versions: 1, count: 2 } }],
  ["kvTtlMs", { kvTtlMs: 59_999 }],
  ["kvTtlMs", { mode: "strong", kvTtlMs: 60_000 }],
  ["graceMs", { mode: "strong", graceMs: 1 }],
  ["sliding", { mode: "strong", sliding: true, maxLifeMs: 400_000 }],
  ["negativeTtlMs", { mode: "strong", negativeTtlMs: 1 }],
  ["loadSharing", { loadSharing: "world" }],
  ["ttl", { ttl: 1 }],
];

describe("rules of a policy", () => {
  it.each(refused)("CO5 OU4 refuses %s in %j, naming the field", (field, options) => {
    let error: unknown;
    try {
      resolveSettings(options as RegistrationOptions);
    } catch (thrown) {
      error = thrown;
    }
    expect(isWarpError(error, "invalid_registration") && error.details?.field).toBe(field);
    expect(isWarpError(error) && error.message).toContain(field);
  });

  it("CO5 what is off leaves no trace, so that the same policy written otherwise is the same", () => {
    const plain = resolveSettings({});
    expect(resolveSettings({ sliding: false, allowStale: false, loadSharing: "node" })).toEqual(plain);
    const full = {
      cacheTtlMs: 1_000,
      graceMs: 60_000,
      softTimeoutMs: 50,
      hardTimeoutMs: 50,
      eagerRefresh: 0.2,
      sliding: true,
      maxLifeMs: 10_000,
      jitter: 0.5,
      negativeTtlMs: 1,
      allowStale: true,
      history: { versions: 3, ageMs: 1_000 },
      kvTtlMs: 60_000,
      loadSharing: "space",
    } as const;
    expect(resolveSettings(full)).toEqual({ ...plain, ...full });
    // Settings are options: what a space keeps is read again by the same rules.
    expect(resolveSettings(resolveSettings(full))).toEqual(resolveSettings(full));
  });

  it("CO5 configuration takes the same options, and refuses others with the pattern's name", () => {
    const [one] = parseStaticRegistrations(
      '{"a:*": {"cacheTtlMs": 1000, "graceMs": 5000, "history": {"versions": 2}}}',
    );
    expect(one?.settings).toMatchObject({ cacheTtlMs: 1_000, graceMs: 5_000, history: { versions: 2 } });
    expect(() => parseStaticRegistrations('{"a:*": {"grace": 1}}')).toThrow(/a:\*: grace/);
  });

  it("CO1 CO5 a policy that differs in one of these is a conflict that tells the present one", async () => {
    const { warp } = coreBed().node();
    await warp.register("a:*", { graceMs: 1_000, history: { versions: 2 } });
    expect((await warp.register("a:*", { graceMs: 1_000, history: { versions: 2 } })).created).toBe(false);
    await expect(warp.register("a:*", { graceMs: 2_000, history: { versions: 2 } })).rejects.toMatchObject({
      code: "registration_conflict",
    });
    await warp.get("a:1");
    expect(() => warp.scope("a:*", { graceMs: 3_000 })).toThrow(/registered/);
  });
});
