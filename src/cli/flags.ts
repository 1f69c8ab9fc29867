import type { ChangeOptions, Only } from "../client/keys.ts";
import type { FenceGuard } from "../protocol/operation.ts";
import { uuidv7Time } from "../runtime/ids.ts";
import { type Arguments, usageError, wholeNumber } from "./arguments.ts";
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

export const fenceFlag: Flag = {
  name: "fence",
  value: "LOCK=N",
  help: "only while this lock is held under this fence, as warp lock tells it; else exit code 4",
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

/** The lock and the fence of {@link fenceFlag}. Throws a usage error where they are none. */
export function guardOf(args: Arguments): { readonly guard?: FenceGuard } {
  const text = args.text("fence");
  if (text === undefined) return {};
  const equals = text.lastIndexOf("=");
  if (equals < 1) throw usageError(`--fence takes a lock's name, = and its fence, not "${text}"`);
  const fence = wholeNumber("--fence", text.slice(equals + 1), 1);
  return { guard: { lock: text.slice(0, equals), fence } };
}

/** The options of a change that {@link opIdFlag}, {@link ifVersionFlag}, {@link fenceFlag} and `--if-absent` stand for. */
export function changeOptions(args: Arguments): ChangeOptions {
  args.atMostOne("if-version", "if-absent");
  const opId = opIdOf(args);
  const ifVersion = args.wholeNumber("if-version", 1);
  const only: Only | undefined =
    ifVersion !== undefined ? { ifVersion } : args.has("if-absent") ? { ifAbsent: true } : undefined;
  return {
    ...(opId === undefined ? {} : { opId }),
    ...(only === undefined ? {} : { only }),
    ...guardOf(args),
  };
}
