import type { Command, Flag } from "../command.ts";
import { globalFlags } from "../globals.ts";
import { versionFlag } from "../parse.ts";

/** What may be typed as the first word, or as the one after `first`. */
export function wordsAfter(commands: readonly Command[], first?: string): string[] {
  const words = commands.flatMap(({ name }) => {
    const [one = "", two] = name.split(" ");
    if (first === undefined) return [one];
    return one === first && two !== undefined ? [two] : [];
  });
  return [...new Set(words)];
}

/** First words that want a second one. */
export function groups(commands: readonly Command[]): string[] {
  return wordsAfter(commands).filter((word) => wordsAfter(commands, word).length > 0);
}

/** All flags that a command takes. */
export function flagsOf(command: Command): readonly Flag[] {
  return [...command.flags, ...globalFlags];
}

/** Flags of a line without a command. */
export const bareFlags: readonly Flag[] = [...globalFlags, versionFlag];
