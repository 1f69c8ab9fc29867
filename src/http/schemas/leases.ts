import * as v from "valibot";
import { maxLeaseLifeMs, maxLockTtlMs, minLockTtlMs } from "../../runtime/coordination-limits.ts";
import { maxListLimit } from "../../runtime/limits.ts";
import { integer, integerText } from "../check.ts";

/** The body of `POST /v1/{space}/leases`. */
export const grantBody = v.strictObject({
  ttlMs: integer(minLockTtlMs, maxLockTtlMs),
  onEnd: v.optional(v.picklist(["invalidate", "delete"])),
  maxLifeMs: v.optional(integer(minLockTtlMs, maxLeaseLifeMs)),
});

/** The query of lists of leases, and of a lease's keys. */
export const leasePageQuery = v.strictObject({
  limit: v.optional(integerText(1, maxListLimit)),
  cursor: v.optional(v.string()),
});

/** The body of `POST /v1/{space}/leases/keepalive`. */
export const keepAliveBody = v.strictObject({
  ids: v.array(v.string()),
});

/** The body of `PUT` and `DELETE /v1/{space}/leases/{id}/keys`. */
export const leaseKeysBody = v.strictObject({
  keys: v.array(v.string()),
});
