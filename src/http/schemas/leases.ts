import * as v from "valibot";
import {
  maxLeaseLifeMs,
  maxListLimit,
  maxLockCommands,
  maxLockTtlMs,
  minLockTtlMs,
} from "../../runtime/limits.ts";
import { integer, integerText } from "../check.ts";

/** The body of `POST /v1/{space}/leases`. */
export const grantBody = v.strictObject({
  ttlMs: v.pipe(
    integer(minLockTtlMs, maxLockTtlMs),
    v.description("The lease ends then unless it is kept alive."),
  ),
  onEnd: v.optional(
    v.pipe(
      v.picklist(["invalidate", "delete"]),
      v.description("What its end does to its keys: drop every copy, or delete them. Default `invalidate`."),
    ),
  ),
  maxLifeMs: v.optional(
    v.pipe(
      integer(minLockTtlMs, maxLeaseLifeMs),
      v.description("It ends then, however often it is kept alive; at least `ttlMs`."),
    ),
  ),
});

/** The query of lists of leases, and of a lease's keys. */
export const leasePageQuery = v.strictObject({
  limit: v.optional(integerText(1, maxListLimit)),
  cursor: v.optional(v.string()),
});

/** The body of `POST /v1/{space}/leases/keepalive`. */
export const keepAliveBody = v.strictObject({
  ids: v.pipe(v.array(v.string()), v.description(`1 to ${maxLockCommands} leases.`)),
});

/** The body of `PUT` and `DELETE /v1/{space}/leases/{id}/keys`. */
export const leaseKeysBody = v.strictObject({
  keys: v.pipe(v.array(v.string()), v.description("1 to 1,000 keys.")),
});
