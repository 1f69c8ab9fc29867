/** A command of a page and the output that the page shows for it. */
export interface Shown {
  readonly command: string;
  /** The lines shown; empty: nothing is claimed. */
  readonly output: readonly string[];
}

/** The commands in a page's `console` blocks: a line with `$ ` begins one, a `\` at its end continues it. */
export function consoleCommands(markdown: string): Shown[] {
  const commands: Shown[] = [];
  for (const block of markdown.matchAll(/^```console\n([\s\S]*?)^```/gm)) {
    for (const part of `\n${block[1]}`.split(/\n\$ /).slice(1)) {
      const lines = part.split("\n");
      let command = lines.shift() ?? "";
      while (command.endsWith("\\")) command = `${command.slice(0, -1)}${lines.shift() ?? ""}`;
      commands.push({ command, output: lines.filter((line) => line.trim() !== "") });
    }
  }
  return commands;
}

/** Text with what differs from run to run replaced by the names that pages use for it. */
export function withPlaceholders(text: string): string {
  return text
    .replace(/\b[0-9a-f]{16}\.(?=\d)/g, (epoch) =>
      epoch.startsWith("0000000000000000") ? epoch : "<epoch>.",
    )
    .replace(/"requestId":"[^"]*"/g, '"requestId":"<request-id>"')
    .replace(/"cursor":"[^"]*"/g, '"cursor":"<cursor>"')
    .replace(/"id":"[0-9a-f]{32}"/g, '"id":"<lease>"')
    .replace(/(?<="fence":)\d+/g, "<fence>")
    .replace(/(?<="remainingMs":)\d+/g, "<ms>")
    .replace(/(?<="[a-z]+AtMs":)\d{13}/g, "<ms>")
    .replace(/\b[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}\b/g, "<op-id>");
}
