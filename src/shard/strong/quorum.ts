import { WarpError } from "../../errors.ts";
import type { RegistrationTable } from "../registration-table.ts";

/** How many nodes other than the writer's, in how many zones, must have dropped a key before it is written. */
export interface Quorum {
  readonly nodes: number;
  readonly zones: number;
}

/** A node that counts for a quorum. */
export interface Voter {
  readonly node: string;
  readonly zone: string | undefined;
}

/** What the registrations of `keys` ask for together; undefined: nothing. */
function quorumOf(registrations: RegistrationTable, keys: readonly string[]): Quorum | undefined {
  if (!registrations.wantsQuorum) return undefined;
  let nodes = 0;
  let zones = 0;
  for (const key of keys) {
    const wanted = registrations.quorum(key);
    if (wanted === undefined) continue;
    nodes = Math.max(nodes, wanted.nodes);
    zones = Math.max(zones, wanted.zones);
  }
  return nodes === 0 ? undefined : { nodes, zones };
}

/** What an operation that touches `keys` needs; undefined: nothing. */
export function quorumFor(
  operation: { readonly withoutQuorum?: true },
  registrations: RegistrationTable | undefined,
  keys: readonly string[],
): Quorum | undefined {
  if (operation.withoutQuorum === true || registrations === undefined) return undefined;
  return quorumOf(registrations, keys);
}

/** Whether these make the quorum. */
export function isMet({ nodes, zones }: Quorum, voters: Iterable<Voter>): boolean {
  const found = count(voters);
  return found.nodes >= nodes && found.zones >= zones;
}

/** The definite refusal of rule ST7. `voters` is who was found, `what` what they are or did. */
export function quorumFailed({ nodes, zones }: Quorum, voters: Iterable<Voter>, what: string): WarpError {
  const found = count(voters);
  const inZones = zones === 0 ? "" : ` in ${found.zones} of ${zones} zones`;
  return new WarpError(
    "quorum_failed",
    `the quorum was not met: ${found.nodes} of ${nodes} other nodes${inZones} ${what}; nothing was changed`,
    { details: { quorum: nodes, minZones: zones, nodes: found.nodes, zones: found.zones } },
  );
}

/** Two sessions of one node count once, in the zone of the first that has one; a node without a zone is in none. */
function count(voters: Iterable<Voter>): Quorum {
  const found = new Map<string, string | undefined>();
  for (const { node, zone } of voters) if (found.get(node) === undefined) found.set(node, zone);
  const zones = new Set([...found.values()].filter((zone) => zone !== undefined));
  return { nodes: found.size, zones: zones.size };
}
