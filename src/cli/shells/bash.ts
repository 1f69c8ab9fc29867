import type { Command, Flag } from "../command.ts";
import { globalFlags } from "../globals.ts";
import { bareFlags, flagsOf, groups, wordsAfter } from "./words.ts";

const names = (flags: readonly Flag[]): string => flags.map(({ name }) => `--${name}`).join(" ");

/** `case` arms of a command: its flags, its choices. */
function arm(command: Command): string {
  const choices = command.flags
    .filter((flag) => flag.choices !== undefined)
    .map(({ name, choices = [] }) => `      --${name}) words="${choices.join(" ")}"; return ;;\n`)
    .join("");
  const files = command.arguments.some(({ name }) => name === "FILE") ? "      files=1\n" : "";
  const first = command.arguments[0]?.choices;
  return [
    `    "${command.name}")\n`,
    choices === "" ? "" : `      case "$previous" in\n${choices}      esac\n`,
    files,
    `      words="${[...(first ?? []), names(flagsOf(command))].join(" ")}" ;;\n`,
  ].join("");
}

/** Completion for bash 4 and later. */
export function bashCompletion(commands: readonly Command[]): string {
  const valued = globalFlags.filter(({ value }) => value !== undefined).map(({ name }) => `--${name}`);
  return `# Completion of warp for bash: source <(warp completion bash)
_warp_words() {
  local previous="$1" command="$2"
  words="" files=""
  case "$command" in
    "") words="${wordsAfter(commands).join(" ")} ${names(bareFlags)}" ;;
${groups(commands)
  .map((group) => `    ${group}) words="${wordsAfter(commands, group).join(" ")}" ;;\n`)
  .join("")}${commands.map(arm).join("")}  esac
}
_warp() {
  local current="\${COMP_WORDS[COMP_CWORD]}" previous="\${COMP_WORDS[COMP_CWORD-1]}"
  local words="" files="" command="" skip="" count=0 word
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    if [[ -n "$skip" ]]; then skip=""; continue; fi
    case "$word" in
      ${valued.join("|")}) skip=1 ;;
      -*) ;;
      *)
        if [[ $count -eq 0 ]]; then command="$word"; count=1
        elif [[ $count -eq 1 ]]; then
          count=2
          case "$command" in ${groups(commands).join("|")}) command="$command $word" ;; esac
        fi ;;
    esac
  done
  [[ -n "$skip" ]] && { COMPREPLY=(); return; }
  _warp_words "$previous" "$command"
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
  if [[ -n "$files" && "$current" != -* ]]; then
    mapfile -t -O "\${#COMPREPLY[@]}" COMPREPLY < <(compgen -f -- "$current")
  fi
}
complete -F _warp warp
`;
}
