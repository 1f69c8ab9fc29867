import type { Command } from "../command.ts";
import { checkChoice } from "../parse.ts";
import { shellNames, shells } from "../shells/index.ts";

export const completion: Command = {
  name: "completion",
  summary: "print a script that teaches your shell to complete warp",
  arguments: [{ name: "SHELL", choices: shellNames, help: shellNames.join(", ") }],
  flags: [],
  notes: [
    "bash: put  source <(warp completion bash)  into ~/.bashrc. zsh: the same with zsh in ~/.zshrc, after compinit. fish: write it to ~/.config/fish/completions/warp.fish.",
  ],
  examples: [
    { line: "source <(warp completion bash)" },
    { line: "warp completion fish > warp.fish" },
    { line: "warp completion tcsh", exit: 2 },
  ],
  async run({ host, commands }, args) {
    const name = args.at(0);
    checkChoice("SHELL", name, shellNames);
    await host.stdout.write(shells[name]?.(commands) ?? "");
    return undefined;
  },
};
