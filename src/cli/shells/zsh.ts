import type { Command, Flag } from "../command.ts";
import { bareFlags, flagsOf, groups, wordsAfter } from "./words.ts";

/** Text inside single quotes, colons and brackets escaped as \`_arguments\` and \`_describe\` want it. */
function quoted(text: string): string {
  return text.replaceAll("'", "'\\''").replaceAll("[", "\\[").replaceAll("]", "\\]").replaceAll(":", "\\:");
}

function spec(flag: Flag): string {
  const star = flag.multiple === true ? "*" : "";
  const value =
    flag.value === undefined
      ? ""
      : `:${quoted(flag.value)}:${flag.choices ? `(${flag.choices.join(" ")})` : ""}`;
  return `'${star}--${flag.name}[${quoted(flag.help)}]${value}'`;
}

function arm(command: Command): string {
  const positionals = command.arguments.map(({ name, choices, rest }) => {
    const action = name === "FILE" ? "_files" : choices ? `(${choices.join(" ")})` : "";
    return `'${rest ? "*" : ""}:${name}:${action}'`;
  });
  const specs = [...flagsOf(command).map(spec), ...positionals];
  return `    '${command.name}') _arguments ${specs.join(" ")} ;;\n`;
}

/** Completion for zsh 5 and later. */
export function zshCompletion(commands: readonly Command[]): string {
  const described = (first?: string): string =>
    wordsAfter(commands, first)
      .map((word) => {
        const name = first === undefined ? word : `${first} ${word}`;
        const summary = commands.find((command) => command.name === name)?.summary ?? `${word} commands`;
        return `'${word}:${quoted(summary)}'`;
      })
      .join(" ");
  return `#compdef warp
# Completion of warp for zsh: source <(warp completion zsh), after compinit
_warp() {
  local context state line
  local -a names
  local command="\${words[2]}"
  if (( CURRENT == 2 )); then
    if [[ "\${words[2]}" == -* ]]; then _arguments ${bareFlags.map(spec).join(" ")}; return; fi
    names=(${described()})
    _describe command names
    return
  fi
  case "$command" in
${groups(commands)
  .map(
    (group) => `    ${group})
      if (( CURRENT == 3 )); then names=(${described(group)}); _describe command names; return; fi
      command="$command \${words[3]}"
      shift words; (( CURRENT-- )) ;;
`,
  )
  .join("")}  esac
  shift words; (( CURRENT-- ))
  case "$command" in
${commands.map(arm).join("")}  esac
}
compdef _warp warp
`;
}
