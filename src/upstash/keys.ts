import { checkSpace } from "../protocol/key.ts";

/**
 * What every name of a space in a shared Redis begins with (rule AD3). The braces are Redis's own: all of a space lies in one slot of a cluster, so that
 * scripts may reach all of it.
 */
export function spacePrefix(space: string): string {
  checkSpace(space);
  return `warp:{${space}}:`;
}
