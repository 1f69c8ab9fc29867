import type { ClientHost } from "../../runtime/client-host.ts";
import { renewBeforeMs, renewRetryMs } from "../../runtime/limits.ts";
import type { ClientOptions } from "./types.ts";

/** A longer wait than a host's timers can be trusted with is cut into such pieces. */
const longestWaitMs = 86_400_000;

/** Where tokens come from. Sessions are brought a newer one before theirs ends, over the same socket (rule WA9). */
export class TokenSource {
  readonly #source: ClientOptions["token"];
  readonly #host: ClientHost;
  readonly #nowMs: () => number;
  #asking: Promise<string | undefined> | undefined;
  /** Tokens that had ended when they were shown, one after the other. */
  #ended = 0;

  /** `nowMs`: the time at the deployment, by which tokens end. */
  constructor(source: ClientOptions["token"], host: ClientHost, nowMs: () => number) {
    this.#source = source;
    this.#host = host;
    this.#nowMs = nowMs;
  }

  /** A token; several who ask at once are given the same. */
  ask(): Promise<string | undefined> {
    this.#asking ??= this.#ask().finally(() => {
      this.#asking = undefined;
    });
    return this.#asking;
  }

  /** Whether another token may help where one has ended: not where that happens again and again. */
  isRenewed(wasGood: boolean): boolean {
    this.#ended = wasGood ? 0 : this.#ended + 1;
    return typeof this.#source === "function" && this.#ended < 3;
  }

  /** Renews the rights of a session, which end at `expiresAtMs`, by `renew`. */
  keep(
    session: { readonly isOver?: true; cancelRenewal?: () => void },
    expiresAtMs: number | undefined,
    renew: (token: string) => Promise<{ readonly expiresAtMs?: number }>,
  ): void {
    if (expiresAtMs === undefined || typeof this.#source !== "function") return;
    const leftMs = expiresAtMs - this.#nowMs();
    const waitMs = Math.max(leftMs - Math.min(leftMs / 2, renewBeforeMs), renewRetryMs / 4);
    session.cancelRenewal = this.#host.timers.after(Math.min(waitMs, longestWaitMs), async () => {
      let untilMs: number | undefined = expiresAtMs;
      try {
        if (!session.isOver && waitMs <= longestWaitMs)
          untilMs = (await renew((await this.ask()) ?? "")).expiresAtMs;
      } catch {
        // Tried again until the rights have ended, which the socket's end tells.
        untilMs = this.#nowMs() + 2 * renewRetryMs;
      }
      if (!session.isOver) this.keep(session, untilMs, renew);
    });
  }

  async #ask(): Promise<string | undefined> {
    return typeof this.#source === "function" ? await this.#source() : this.#source;
  }
}
