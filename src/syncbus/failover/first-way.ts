import {
  type BreakerState,
  CircuitBreaker,
  type CircuitBreakerOptions,
} from "../../runtime/circuit-breaker.ts";
import { isBusTrouble } from "../trouble.ts";

/** The way over the first bus, behind a breaker. */
export class FirstWay {
  readonly #breaker: CircuitBreaker;
  readonly #returned: () => void;
  /** It has been left alone, and has not been back since. */
  #wasOut = false;

  /** `returned`: it has been left alone, and works again. */
  constructor(options: CircuitBreakerOptions, returned: () => void) {
    this.#breaker = new CircuitBreaker(options);
    this.#returned = returned;
  }

  get state(): BreakerState {
    return this.#breaker.state;
  }

  /** Goes that way; where the breaker lets nobody in, `instead` is done: nothing has been sent then. Throws its refusal where there is no such. */
  async run<T>(work: () => Promise<T>, instead?: () => Promise<T>): Promise<T> {
    const trial = this.#enter(instead !== undefined);
    if (trial === undefined) return await (instead ?? work)();
    try {
      const result = await work();
      trial.succeeded();
      if (this.#wasOut && this.state === "closed") {
        this.#wasOut = false;
        this.#returned();
      }
      return result;
    } catch (error) {
      if (isBusTrouble(error)) trial.failed();
      else trial.void();
      this.#wasOut ||= this.state === "open";
      throw error;
    }
  }

  #enter(mayRefuse: boolean): ReturnType<CircuitBreaker["enter"]> | undefined {
    try {
      return this.#breaker.enter();
    } catch (error) {
      if (!mayRefuse) throw error;
      return undefined;
    }
  }
}
