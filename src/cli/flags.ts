import type { Only } from "../client/keys.ts";
import { uuidv7Time } from "../runtime/ids.ts";
import { type Arguments, usageError } from "./arguments.ts";
import type { Flag } from "./command.ts";

/** Flags that several commands share. */
export const opIdFlag: Flag = {
  name: "op-id",
  value: "ID",
  help: "repeats the call of this op id within 5 minutes: it is done once, the answer is the first verdict",
};

export const ifVersionFlag: Flag = {
  name: "if-version",
  value: "N",
  help: "only if the key is at this version; else exit code 4",
};

export const prefixFlag: Flag = { name: "prefix", value: "P", help: "only keys that begin with it" };

/** The op id of {@link opIdFlag}. Throws a usage error where it is none. */
export function opIdOf(args: Arguments): string | undefined {
  const opId = args.text("op-id");
  if (opId !== undefined && uuidv7Time(opId) === undefined) {
    throw usageError("--op-id takes a UUIDv7 in lower case, as an error named it");
  }
  return opId;
}

/** The options of a change that {@link opIdFlag}, {@link ifVersionFlag} and `--if-absent` stand for. */
export function changeOptions(args: Arguments): { readonly opId?: string; readonly only?: Only } {
  args.atMostOne("if-version", "if-absent");
  const opId = opIdOf(args);
  const ifVersion = args.wholeNumber("if-version", 1);
  const only: Only | undefined =
    ifVersion !== undefined ? { ifVersion } : args.has("if-absent") ? { ifAbsent: true } : undefined;
  return { ...(opId === undefined ? {} : { opId }), ...(only === undefined ? {} : { only }) };
}
