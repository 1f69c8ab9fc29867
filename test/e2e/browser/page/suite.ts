/** As much of the test runner as `test/contract/persistence.ts` uses, for a page: the tests that were described, to be run one by one. */

type Run = () => unknown;

export const suite: { readonly title: string; readonly run: Run }[] = [];
const titles: string[] = [];
let before: Run = () => {};

export function describe(title: string, body: () => void): void {
  titles.push(title);
  body();
  titles.pop();
}

export function beforeEach(run: Run): void {
  before = run;
}

export function test(title: string, run: Run): void {
  const setUp = before;
  suite.push({
    title: [...titles, title].join(" > "),
    run: async () => {
      await setUp();
      await run();
    },
  });
}

export function expect(found: unknown) {
  const check = (isSame: boolean, wanted: unknown): void => {
    if (!isSame) throw new Error(`${JSON.stringify(found)} is not ${JSON.stringify(wanted)}`);
  };
  return {
    toBe: (wanted: unknown) => check(Object.is(found, wanted), wanted),
    toEqual: (wanted: unknown) => check(covers(found, wanted) && covers(wanted, found), wanted),
    toMatchObject: (wanted: unknown) => check(covers(found, wanted), wanted),
  };
}

/** Whether `found` has all that `wanted` has. */
function covers(found: unknown, wanted: unknown): boolean {
  if (typeof wanted !== "object" || wanted === null) return Object.is(found, wanted);
  if (typeof found !== "object" || found === null) return false;
  if (found.constructor !== wanted.constructor) return false;
  return Object.entries(wanted).every(([name, value]) => covers(Reflect.get(found, name), value));
}
