import { readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { families } from "../../scripts/drivers/families.ts";
import { abilitiesIn, driversPage } from "../../scripts/drivers/page.ts";
import { read, root } from "./source.ts";

const contractOf = ({ folder, contract }: (typeof families)[number]): string =>
  read(`src/${folder}/${contract}.ts`);

describe("docs/drivers.md", () => {
  test("is what `npm run drivers` makes", () => {
    expect(read("docs/drivers.md")).toBe(driversPage(families, contractOf));
  });

  test("has every family that has a contract", () => {
    const folders = readdirSync(join(root, "src"), { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map(({ name }) => name)
      .filter((name) => readdirSync(join(root, "src", name)).includes(`${name}.ts`));
    const contracts = folders.filter((name) =>
      /export interface \w+Supports \{/.test(read(`src/${name}/${name}.ts`)),
    );
    const named = families.filter(({ abilities }) => abilities !== undefined).map(({ folder }) => folder);
    expect(named.sort()).toEqual(contracts.sort());
  });

  test.each(families.map((family) => [family.folder, family] as const))(
    "has every driver of %s, which tells of every ability and of no other",
    (folder, { drivers, wrappers = [], abilities, ...family }) => {
      const folders = readdirSync(join(root, "src", folder), { withFileTypes: true })
        .filter((entry) => entry.isDirectory())
        .map(({ name }) => name);
      const named = new Set([...drivers.map(({ name, folder = name }) => folder), ...wrappers]);
      expect([...named].sort()).toEqual(folders.sort());
      if (abilities === undefined) return;
      const known = abilitiesIn(read(`src/${folder}/${family.contract}.ts`), abilities).map(
        ({ name }) => name,
      );
      expect(known.length).toBeGreaterThan(0);
      for (const { name, supports } of drivers)
        expect(Object.keys(supports).sort(), name).toEqual([...known].sort());
    },
  );
});
