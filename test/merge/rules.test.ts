import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { MergeRules } from "../../src/merge/merge-rules.ts";
import type { Payload } from "../../src/protocol/payload.ts";
import { fromUtf8, utf8 } from "../../src/runtime/bytes.ts";

const rules = new MergeRules();

const json = (value: unknown): Payload => ({
  bytes: utf8(JSON.stringify(value)),
  contentType: "application/json",
});
const raw = (text: string): Payload => ({ bytes: utf8(text), contentType: "text/plain" });
const textOf = ({ bytes }: Payload): string => fromUtf8(bytes);

/** The JSON text that a rule makes of operands in their order. */
function fold(merge: string, operands: readonly unknown[], mergeMaxElements?: number): string {
  const settings = { merge, ...(mergeMaxElements === undefined ? {} : { mergeMaxElements }) };
  let stored: Payload | undefined;
  for (const operand of operands) stored = rules.merge(settings, stored, json(operand));
  return stored === undefined ? "" : textOf(stored);
}

function codeOf(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    return (error as { code?: string }).code ?? String(error);
  }
  return "ok";
}

const amount = fc.integer({ min: -1_000_000, max: 1_000_000 });
const amounts = fc.array(amount, { minLength: 1, maxLength: 20 });
const value = fc.jsonValue({ maxDepth: 3 }) as fc.Arbitrary<unknown>;
const elements = fc.array(value, { maxLength: 8 });
const document = fc.dictionary(fc.constantFrom("a", "b", "c", "__proto__", "constructor"), value, {
  maxKeys: 4,
});
const shuffled = <T>(list: readonly T[]): fc.Arbitrary<T[]> =>
  fc.shuffledSubarray([...list], { minLength: list.length, maxLength: list.length });

describe("numbers", () => {
  it.each(["sum", "max", "min"])("ME3 %s does not depend on the order of its operands", (merge) => {
    fc.assert(
      fc.property(
        amounts.chain((list) => fc.tuple(fc.constant(list), shuffled(list))),
        ([list, other]) => fold(merge, list) === fold(merge, other),
      ),
    );
  });

  it.each(["sum", "max", "min"])("ME3 %s of parts is %s of the whole", (merge) => {
    fc.assert(
      fc.property(amounts, amounts, (left, right) => {
        const parts = [left, right].map((part) => JSON.parse(fold(merge, part)) as number);
        return fold(merge, parts) === fold(merge, [...left, ...right]);
      }),
    );
  });

  it("ME3 they are what their names say", () => {
    fc.assert(
      fc.property(amounts, (list) => {
        expect(fold("sum", list)).toBe(String(list.reduce((total, n) => total + n, 0)));
        expect(fold("max", list)).toBe(String(Math.max(...list)));
        expect(fold("min", list)).toBe(String(Math.min(...list)));
      }),
    );
  });

  it("ME2 what a double can't count exactly is refused, on either side", () => {
    const most = Number.MAX_SAFE_INTEGER;
    expect(fold("sum", [most - 1, 1])).toBe(String(most));
    expect(codeOf(() => fold("sum", [most, 1]))).toBe("merge_failed");
    expect(codeOf(() => fold("sum", [-most, -1]))).toBe("merge_failed");
    for (const text of [
      "9007199254740993",
      "-9007199254740993",
      "1e300",
      "1e999",
      '"1"',
      "null",
      "[1]",
      "{}",
      "x",
      "",
    ]) {
      for (const merge of ["sum", "max", "min"]) {
        expect(codeOf(() => rules.merge({ merge }, undefined, raw(text)))).toBe("merge_failed");
        expect(codeOf(() => rules.merge({ merge }, raw(text), json(1)))).toBe("merge_failed");
      }
    }
    expect(
      codeOf(() => rules.merge({ merge: "sum" }, undefined, { ...raw(""), bytes: Uint8Array.of(0xff) })),
    ).toBe("merge_failed");
  });

  it("ME3 the bytes decide what an operand is, and the result is JSON", () => {
    expect(rules.merge({ merge: "sum" }, raw(" 1.50 "), raw("2"))).toEqual(json(3.5));
  });
});

describe("lists and sets", () => {
  it("ME3 append keeps all elements in their order, up to the newest of its bound", () => {
    fc.assert(
      fc.property(fc.array(elements, { maxLength: 6 }), fc.integer({ min: 1, max: 12 }), (lists, most) => {
        const all = lists.flat();
        expect(fold("append", [[], ...lists], most)).toBe(JSON.stringify(all.slice(-most)));
      }),
    );
  });

  it("ME3 an operand that is no list is one element; a list as an element stands in a list", () => {
    expect(fold("append", [1, null, { a: 1 }, [[2]]])).toBe('[1,null,{"a":1},[2]]');
    expect(fold("union", ["a", "b", "a"])).toBe('["b","a"]');
  });

  it("ME3 union has each element once, and the same operand once more changes nothing, bounded or not", () => {
    fc.assert(
      fc.property(
        fc.array(elements, { minLength: 1, maxLength: 5 }),
        fc.integer({ min: 1, max: 12 }),
        (lists, most) => {
          const once = fold("union", lists, most);
          expect(fold("union", [...lists, lists.at(-1)], most)).toBe(once);
          const found = (JSON.parse(once) as unknown[]).map(canonical);
          expect(new Set(found).size).toBe(found.length);
          expect(found.length).toBeLessThanOrEqual(most);
        },
      ),
    );
  });

  it("ME3 without its bound union is a union of sets: no order of operands matters", () => {
    fc.assert(
      fc.property(
        fc
          .array(elements, { minLength: 1, maxLength: 5 })
          .chain((lists) => fc.tuple(fc.constant(lists), shuffled(lists))),
        ([lists, other]) => {
          const setOf = (text: string): string[] => (JSON.parse(text) as unknown[]).map(canonical).sort();
          const all = setOf(fold("union", lists));
          expect(setOf(fold("union", other))).toEqual(all);
          expect(all).toEqual([...new Set(lists.flat().map(canonical))].sort());
        },
      ),
    );
  });

  it("ME2 a stored value that is no list stays as it is", () => {
    for (const merge of ["append", "union"]) {
      for (const text of ["1", "{}", '"a"', "x"]) {
        expect(codeOf(() => rules.merge({ merge }, raw(text), json(1)))).toBe("merge_failed");
      }
    }
  });

  it("ME2 a whole number that would come back as another is refused, wherever it stands", () => {
    for (const merge of ["append", "union", "deep-merge"]) {
      const long = '{"a":[12345678901234567890]}';
      expect(codeOf(() => rules.merge({ merge }, undefined, raw(long)))).toBe("merge_failed");
      expect(codeOf(() => rules.merge({ merge }, undefined, raw('{"a":"12345678901234567890"}')))).toBe("ok");
      expect(codeOf(() => rules.merge({ merge }, undefined, raw('{"a":1e300,"b":9007199254740992}')))).toBe(
        "ok",
      );
    }
  });
});

describe("deep-merge", () => {
  it("ME3 is RFC 7396: its examples", () => {
    const examples: readonly [string, string, string][] = [
      ['{"a":"b"}', '{"a":"c"}', '{"a":"c"}'],
      ['{"a":"b"}', '{"b":"c"}', '{"a":"b","b":"c"}'],
      ['{"a":"b"}', '{"a":null}', "{}"],
      ['{"a":"b","b":"c"}', '{"a":null}', '{"b":"c"}'],
      ['{"a":["b"]}', '{"a":"c"}', '{"a":"c"}'],
      ['{"a":"c"}', '{"a":["b"]}', '{"a":["b"]}'],
      ['{"a":{"b":"c"}}', '{"a":{"b":"d","c":null}}', '{"a":{"b":"d"}}'],
      ['{"a":[{"b":"c"}]}', '{"a":[1]}', '{"a":[1]}'],
      ['["a","b"]', '["c","d"]', '["c","d"]'],
      ['{"a":"b"}', '["c"]', '["c"]'],
      ['{"a":"foo"}', "null", "null"],
      ['{"a":"foo"}', '"bar"', '"bar"'],
      ['{"e":null}', '{"a":1}', '{"e":null,"a":1}'],
      ["[1,2]", '{"a":"b","c":null}', '{"a":"b"}'],
      ["{}", '{"a":{"bb":{"ccc":null}}}', '{"a":{"bb":{}}}'],
    ];
    for (const [stored, patch, result] of examples) {
      expect(textOf(rules.merge({ merge: "deep-merge" }, raw(stored), raw(patch)))).toBe(result);
    }
    expect(fold("deep-merge", [{ a: null, b: 1 }])).toBe('{"b":1}');
  });

  it("ME3 the same patch once more changes nothing, and names are only names", () => {
    fc.assert(
      fc.property(document, document, (stored, patch) => {
        const once = fold("deep-merge", [stored, patch]);
        expect(fold("deep-merge", [stored, patch, patch])).toBe(once);
      }),
    );
    const own = textOf(rules.merge({ merge: "deep-merge" }, raw("{}"), raw('{"__proto__":{"polluted":1}}')));
    expect(own).toBe('{"__proto__":{"polluted":1}}');
    expect(({} as { polluted?: number }).polluted).toBeUndefined();
  });

  it("ME2 what is nested too deeply to be read fails, and nothing else breaks", () => {
    const deep = `${'{"a":'.repeat(200_000)}1${"}".repeat(200_000)}`;
    expect(codeOf(() => rules.merge({ merge: "deep-merge" }, raw("{}"), raw(deep)))).toBe("merge_failed");
    expect(fold("deep-merge", [{ a: 1 }])).toBe('{"a":1}');
  });
});

describe("the registry of rules", () => {
  it("ME3 last-write-wins stores the operand as it came", () => {
    const operand = { bytes: Uint8Array.of(0, 255), contentType: "image/png" };
    expect(rules.merge({ merge: "last-write-wins" }, json(1), operand)).toBe(operand);
  });

  it("ME3 knows the built-in names, then those it was given", () => {
    const builtIn = ["last-write-wins", "sum", "max", "min", "append", "union", "deep-merge"];
    expect(rules.names).toEqual(builtIn);
    const more = new MergeRules({ mine: (_stored, operand) => operand });
    expect(more.names).toEqual([...builtIn, "mine"]);
    expect(codeOf(() => more.check("mine"))).toBe("ok");
    expect(codeOf(() => more.check(undefined))).toBe("ok");
    expect(codeOf(() => rules.check("mine"))).toBe("merge_rule_unknown");
    expect(codeOf(() => rules.check("toString"))).toBe("merge_rule_unknown");
    expect(codeOf(() => rules.merge({ merge: "mine" }, undefined, json(1)))).toBe("merge_rule_unknown");
    expect(codeOf(() => rules.merge({}, undefined, json(1)))).toBe("merge_rule_missing");
  });

  it("ME3 refuses names that are malformed or taken, and what is no function", () => {
    const keep = (_stored: Payload | undefined, operand: Payload): Payload => operand;
    for (const name of ["sum", "", "1st", "a b", "x".repeat(65), "a/b"]) {
      expect(codeOf(() => new MergeRules({ [name]: keep }))).toBe("invalid_argument");
    }
    expect(codeOf(() => new MergeRules({ a: 1 as never }))).toBe("invalid_argument");
    expect(codeOf(() => new MergeRules({ [`a${"x".repeat(63)}`]: keep, "my.rule_2-b": keep }))).toBe("ok");
  });

  const wrong: readonly (readonly [string, () => unknown])[] = [
    [
      "throws",
      () => {
        throw new Error("why");
      },
    ],
    [
      "throws something else",
      () => {
        throw "why";
      },
    ],
    ["gives nothing", () => undefined],
    ["gives a promise", async () => json(1)],
    ["gives a string", () => "text"],
    ["gives no content type", () => ({ bytes: new Uint8Array(1) })],
    ["gives a content type that is too long", () => ({ ...json(1), contentType: "x".repeat(256) })],
    ["gives a list for bytes", () => ({ bytes: [1], contentType: "text/plain" })],
  ];

  it.each(wrong)("ME2 a function that %s fails the write", (_what, rule) => {
    const more = new MergeRules({ mine: rule as never });
    expect(codeOf(() => more.merge({ merge: "mine" }, undefined, json(1)))).toBe("merge_failed");
  });
});

/** JSON with its members in one order. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_name, part: unknown) =>
    typeof part === "object" && part !== null && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)))
      : part,
  );
}
