import { type ChildProcess, fork } from "node:child_process";
import { join } from "node:path";
import { type AnswerOf, failed, type NodeCall, type TwinNode } from "./calls.ts";
import type { ChildOptions } from "./node-child.ts";

/** A node in a process of its own. */
export class ProcessNode implements TwinNode {
  readonly kind = "node";
  readonly name: string;
  readonly #child: ChildProcess;
  readonly #pending = new Map<number, (answer: object) => void>();
  readonly #exit: Promise<void>;
  #ids = 0;
  #isOver = false;

  private constructor(options: ChildOptions) {
    this.name = options.node;
    this.#child = fork(join(import.meta.dirname, "node-child.ts"), [JSON.stringify(options)], {
      execArgv: [],
      stdio: ["ignore", "inherit", "inherit", "ipc"],
      env: Object.fromEntries(
        Object.entries(process.env).filter(([name]) => !/^(WARP_|npm_|VITEST|NODE_OPTIONS)/.test(name)),
      ),
    });
    this.#child.on("message", ({ id, answer }: { id: number; answer: object }) => {
      const answered = this.#pending.get(id);
      this.#pending.delete(id);
      answered?.(answer);
    });
    this.#exit = new Promise((done) => {
      this.#child.on("exit", (code, signal) => {
        this.#isOver = true;
        const gone = failed("process_ended", `code ${code}, signal ${signal}`, "unknown");
        for (const answered of this.#pending.values()) answered(gone);
        done();
      });
    });
  }

  /** Starts the process; it connects with its first call. */
  static async start(options: ChildOptions): Promise<ProcessNode> {
    const node = new ProcessNode(options);
    await new Promise<void>((ready) => node.#pending.set(0, () => ready()));
    if (node.#isOver) throw new Error(`${options.node} did not start`);
    return node;
  }

  async call<C extends NodeCall>(call: C): Promise<AnswerOf<C>> {
    if (this.#isOver) return failed("process_ended", "it has ended", "unknown") as AnswerOf<C>;
    const id = ++this.#ids;
    return await new Promise((resolve) => {
      this.#pending.set(id, (answer) => resolve(answer as AnswerOf<C>));
      this.#child.send({ id, call });
    });
  }

  /** Stops all that the process does, in the middle of whatever it is doing. */
  pause(): void {
    this.#child.kill("SIGSTOP");
  }

  resume(): void {
    this.#child.kill("SIGCONT");
  }

  /** Ends the process without a word to anyone. */
  async stop(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#exit;
  }
}
