import { describe, expect, test } from "vitest";
import { read } from "./source.ts";

/** The names that a module's export statements name, types marked. */
function exported(path: string): string[] {
  const statements = read(path).matchAll(/^export (type )?\{([^}]*)\}/gm);
  return [...statements]
    .flatMap((match) =>
      (match[2] ?? "")
        .split(",")
        .map((name) => name.trim().replace(/^.* as /, ""))
        .filter((name) => name !== "")
        .map((name) => (match[1] !== undefined && !name.startsWith("type ") ? `type ${name}` : name)),
    )
    .sort();
}

describe("the public surface", () => {
  test("src/index.ts exports the reviewed names and nothing else", async () => {
    await expect(`${exported("src/index.ts").join("\n")}\n`).toMatchFileSnapshot("exports.txt");
  });

  test("src/index.ts only re-exports", () => {
    const rest = read("src/index.ts")
      .replace(/\/\*[\s\S]*?\*\//g, "")
      .replace(/export (type )?\{[^}]*\} from "[^"]+";/g, "");
    expect(rest.trim()).toBe("");
  });

  test("what package.json says it exports is built from a source that is there", () => {
    const { exports } = JSON.parse(read("package.json")) as { exports: Record<string, { default: string }> };
    for (const { default: path } of Object.values(exports)) {
      const source = path.replace("./dist/lib/", "src/").replace(/\.js$/, ".ts");
      expect(read(source).length, source).toBeGreaterThan(0);
    }
  });
});
