import { createHash, randomUUID } from "node:crypto";
import { BedControl, post } from "./bed-control.ts";
import type { BedAddress, BedRequest } from "./bed-state.ts";
import { RedisBridge } from "./bridge.ts";

/** How a local Redis is run. */
export interface LocalRedisOptions extends Omit<BedRequest, "own" | "id"> {
  /** Of its REST surface. Default 0: a free one. */
  readonly port?: number;
}

/**
 * A redis-server of its own that loses nothing it acknowledged, behind a REST surface as Upstash has it, on this machine. The surface lives in this process, redis-server is a child of
 * it: `server("kill")` kills it with -9, `server("start")` starts it again on the same files.
 */
export class LocalRedis extends BedControl {
  readonly #bridge: RedisBridge;

  /** Of the redis-server itself, for `redis-cli -s`. */
  readonly socket: string;

  private constructor(bridge: RedisBridge, address: BedAddress) {
    super(address);
    this.socket = address.socket;
    this.#bridge = bridge;
  }

  /** With a port and a token the same URLs each time. Throws where there is no redis-server: ask `missingRedis()` before. */
  static async start({ port = 0, ...request }: LocalRedisOptions = {}): Promise<LocalRedis> {
    const bridge = new RedisBridge();
    try {
      const url = await bridge.start(port);
      // Not to be guessed: a web page could send orders, too.
      const id = request.token === undefined ? randomUUID() : digest(request.token);
      return new LocalRedis(bridge, (await post(`${url}/beds`, { ...request, id, own: true })) as BedAddress);
    } catch (error) {
      await bridge.end();
      throw error;
    }
  }

  /** Variables of a deployment that uses it. */
  get variables(): Record<"UPSTASH_REDIS_REST_URL" | "UPSTASH_REDIS_REST_TOKEN", string> {
    return { UPSTASH_REDIS_REST_URL: this.url, UPSTASH_REDIS_REST_TOKEN: this.token };
  }

  /** Ends all of it; files stay where a folder was given for them. */
  override async end(): Promise<void> {
    await this.#bridge.end();
  }
}

function digest(token: string): string {
  return createHash("sha256").update(token).digest("hex").slice(0, 32);
}
