import { createReadStream } from "node:fs";
import { nodeClock, nodeRandom, nodeTimers } from "../platform/node.ts";
import { type CliHost, type Output, OutputClosed } from "./host.ts";

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
    fetch: (url, request) => fetch(url, request),
    clock: nodeClock,
    timers: nodeTimers,
    random: nodeRandom,
  };
}
