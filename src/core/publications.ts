import { WarpError } from "../errors.ts";
import { formatCursor } from "../protocol/position.ts";
import type { WatchTarget } from "../protocol/watch.ts";
import { checkPublication } from "../protocol/watch-rules.ts";
import type { WatchBus } from "../watchbus/watchbus.ts";
import { callOptions } from "./call.ts";
import { OpIds } from "./draft.ts";
import { checkValue, type Reading } from "./entry.ts";
import type { Parts } from "./parts.ts";
import type { PublishCall, Published } from "./watch-types.ts";

/** What a node publishes to the watches of all. */
export class Publications {
  readonly #parts: Parts;
  readonly #driver: WatchBus | undefined;

  constructor(parts: Parts, driver: WatchBus | undefined) {
    this.#parts = parts;
    this.#driver = driver;
  }

  /** The driver's own calls. Throws `unsupported` where there is none, `warp_closed`. */
  get driver(): WatchBus {
    this.#parts.lifetime.check();
    if (this.#driver === undefined) throw new WarpError("unsupported", "this Warp was made without watching");
    return this.#driver;
  }

  async publish<T>(
    target: WatchTarget,
    value: T,
    reading: Reading<T>,
    options: Omit<PublishCall<T>, "codec"> = {},
  ): Promise<Published> {
    const { driver } = this;
    const opIds = new OpIds(this.#parts, options);
    const payload = reading.codec.encode(await checkValue(value, reading.schema));
    checkPublication({ target, payload });
    const positions = await driver.publish(target, payload, {
      ...callOptions(options),
      opId: opIds.single(),
      retained: options.retained ?? false,
    });
    return { opId: opIds.callOpId, cursors: positions.map(formatCursor) };
  }
}
