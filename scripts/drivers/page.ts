import type { Driver, Family } from "./families.ts";

/** An ability as the contract tells it. */
export interface Ability {
  readonly name: string;
  /** Its comment there, in one line. */
  readonly means: string;
}

/** The abilities of the interface `name` in a contract's text, with their comments. */
export function abilitiesIn(contract: string, name: string): readonly Ability[] {
  const body = contract.split(`export interface ${name} {`)[1]?.split("\n}")[0];
  if (body === undefined) throw new Error(`the contract has no ${name}`);
  const members = body.matchAll(/(?:\/\*\*([\s\S]*?)\*\/\s*)?readonly (\w+): boolean;/g);
  return [...members].map(([, comment = "", ability = ""]) => ({
    name: ability,
    means: comment
      .replace(/^\s*\*/gm, "")
      .replace(/\s+/g, " ")
      .trim(),
  }));
}

/** `docs/drivers.md`: what each driver of each family says of itself; `contractOf` reads a family's contract. */
export function driversPage(families: readonly Family[], contractOf: (family: Family) => string): string {
  return [
    "# Drivers",
    "",
    "What each driver can, as it says itself by its `supports`. What one lacks it refuses with `unsupported`, and its family's contract suite tests that it does. This page is made from the sources by",
    "`npm run drivers`.",
    ...families.flatMap((family) => ["", ...section(family, contractOf(family))]),
    "",
  ].join("\n");
}

function section(family: Family, contract: string): readonly string[] {
  const { folder, about, page, drivers, abilities, wrappers = [] } = family;
  const names = drivers.map(({ name }) => name);
  const wrapped = wrappers.map((name) => `\`${name}\``).join(", ");
  return [
    `## \`${folder}\``,
    "",
    `${about} More: [${page}](${page}). The contract: \`src/${folder}/${family.contract}.ts\`.`,
    "",
    ...(abilities === undefined
      ? [`Drivers: ${names.join(", ")}. Each can all of the contract.`]
      : table(names, abilitiesIn(contract, abilities), drivers)),
    ...(wrapped === "" ? [] : ["", `Around others, with what those can: ${wrapped}.`]),
  ];
}

function table(
  names: readonly string[],
  abilities: readonly Ability[],
  drivers: readonly Driver[],
): readonly string[] {
  const row = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  return [
    row(["", ...names]),
    `|---|${"---|".repeat(names.length)}`,
    ...abilities.map(({ name, means }) =>
      row([
        means === "" ? `\`${name}\`` : `\`${name}\`: ${means}`,
        ...drivers.map(({ supports }) => (supports[name] === true ? "yes" : "no")),
      ]),
    ),
  ];
}
