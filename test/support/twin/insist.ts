import { setTimeout as sleep } from "node:timers/promises";
import { type AnswerOf, type ChangeCall, isVerdict, type TwinNode } from "./calls.ts";

/** Makes a change, and repeats it under its op id while its fate is not known. Gives the last answer, and how often it was asked. */
export async function insist<C extends ChangeCall & { readonly timeoutMs?: number }>(
  node: TwinNode,
  call: C,
  options: { readonly tries?: number; readonly pauseMs?: number } = {},
): Promise<{ readonly answer: AnswerOf<C>; readonly tries: number }> {
  const { tries = 60, pauseMs = 200 } = options;
  let unknown = 0;
  for (let asked = 1; ; asked++) {
    const answer = await node.call(call);
    if (answer.ok || isVerdict(answer, unknown) || asked >= tries) return { answer, tries: asked };
    if (answer.outcome === "unknown") unknown++;
    await sleep(pauseMs);
  }
}
