import type { ClientHost } from "../../runtime/client-host.ts";
import { renewBeforeMs, renewRetryMs } from "../../runtime/limits.ts";
import type { LiveSession } from "./session.ts";
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

  /** Whether another token may help, where the one of this session had ended: not where that happens again and again. */
  isRenewed(session: LiveSession): boolean {
    this.#ended = session.wasOpen ? 0 : this.#ended + 1;
    return typeof this.#source === "function" && this.#ended < 3;
  }

  /** The session has rights until then. */
  keeps(session: LiveSession, expiresAtMs: number | undefined): void {
    if (expiresAtMs === undefined || typeof this.#source !== "function") return;
    const leftMs = expiresAtMs - this.#nowMs();
    const waitMs = Math.max(leftMs - Math.min(leftMs / 2, renewBeforeMs), renewRetryMs / 4);
    this.#host.timers.after(Math.min(waitMs, longestWaitMs), async () => {
      if (session.welcome === undefined) return;
      if (waitMs > longestWaitMs) {
        this.keeps(session, expiresAtMs);
        return;
      }
      try {
        this.keeps(session, await session.renew((await this.ask()) ?? ""));
      } catch {
        // What was not renewed in time is told by the socket's end.
        this.#host.timers.after(renewRetryMs, () => this.keeps(session, this.#nowMs()));
      }
    });
  }

  async #ask(): Promise<string | undefined> {
    return typeof this.#source === "function" ? await this.#source() : this.#source;
  }
}
