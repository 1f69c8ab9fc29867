import { spawn } from "node:child_process";
import { createReadStream } from "node:fs";
import { constants } from "node:os";
import { nodeClock, nodeElapsed, nodeRandom, nodeTimers } from "../platform/node.ts";
import { type Child, type CliHost, type EndSignal, type Output, OutputClosed } from "./host.ts";

/** Writes with backpressure; a closed pipe is told to whoever writes next or waits. */
function output(stream: NodeJS.WriteStream): Output {
  let closed = false;
  // Without a listener a write into a closed pipe would end the process with a stack.
  stream.on("error", () => {
    closed = true;
  });
  return {
    isTTY: stream.isTTY === true,
    write: (data) =>
      new Promise((resolve, reject) => {
        if (closed) reject(new OutputClosed("nobody reads the output"));
        else {
          stream.write(data, (error) => {
            if (error == null) resolve();
            else reject(isClosedPipe(error) ? new OutputClosed("nobody reads the output") : error);
          });
        }
      }),
  };
}

function isClosedPipe(error: Error): boolean {
  return "code" in error && (error.code === "EPIPE" || error.code === "ERR_STREAM_DESTROYED");
}

/** Runs `command`. Where no terminal belongs to it, it and all that it starts are a group of their own, which gets signals as a whole: a script alone would leave what it runs behind. */
function start(command: string, args: readonly string[], env: Readonly<Record<string, string>>): Child {
  const detached = process.stdin.isTTY !== true;
  const child = spawn(command, args, { stdio: "inherit", env: { ...process.env, ...env }, detached });
  let trouble: string | undefined;
  const ended = new Promise<number>((resolve) => {
    child.once("error", (error) => {
      const isMissing = "code" in error && error.code === "ENOENT";
      trouble = isMissing ? "there is no such command" : error.message;
      resolve(isMissing ? 127 : 126);
    });
    child.once("exit", (code, signal) =>
      resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal])),
    );
  });
  /** Whether it was there to get it. */
  const send = (signal: NodeJS.Signals | 0): boolean => {
    try {
      return detached && child.pid !== undefined ? process.kill(-child.pid, signal) : child.kill(signal);
    } catch (error) {
      // It has ended, and all that it had started; or it is another user's now, as under sudo.
      if (error instanceof Error && "code" in error && (error.code === "ESRCH" || error.code === "EPERM")) {
        return error.code === "EPERM";
      }
      throw error;
    }
  };
  return {
    ended,
    trouble: () => trouble,
    kill: (signal) => void send(signal),
    leaves: () => detached && send(0),
  };
}

const endSignals: readonly EndSignal[] = ["SIGHUP", "SIGINT", "SIGTERM"];

function listen(listener: (signal: EndSignal) => void): () => void {
  for (const signal of endSignals) process.on(signal, listener);
  return () => {
    for (const signal of endSignals) process.off(signal, listener);
  };
}

/** The process that this runs in. */
export function processHost(): CliHost {
  return {
    env: process.env,
    stdin: {
      isTTY: process.stdin.isTTY === true,
      [Symbol.asyncIterator]: () => process.stdin[Symbol.asyncIterator]() as AsyncIterator<Uint8Array>,
    },
    stdout: output(process.stdout),
    stderr: output(process.stderr),
    openFile: (path) => createReadStream(path),
    spawn: start,
    onSignal: listen,
    fetch: (url, request) => fetch(url, request),
    clock: nodeClock,
    elapsed: nodeElapsed,
    timers: nodeTimers,
    random: nodeRandom,
  };
}
