import { errors } from "@upstash/redis/cloudflare";
import { describe, expect, it } from "vitest";
import { storageFailure } from "../../src/upstash/failure.ts";

const said = (error: unknown): string => storageFailure(error, "fail").message;

describe("what went wrong at the storage, in words for who has to mend it", () => {
  it("a wrong address is told by the system's code, which hosts hide in the cause; texts could name what is secret", () => {
    const cause = Object.assign(new Error("getaddrinfo ENOTFOUND secret.upstash.io"), { code: "ENOTFOUND" });
    expect(said(new TypeError("fetch failed", { cause }))).toBe("the storage can't be reached (ENOTFOUND)");
    const several = Object.assign(new AggregateError([cause]), { code: "ECONNREFUSED" });
    expect(said(new TypeError("fetch failed", { cause: several }))).toBe(
      "the storage can't be reached (ECONNREFUSED)",
    );
    expect(said(Object.assign(new Error("x"), { code: "the token abc" }))).toBe(
      "the storage can't be reached",
    );
  });

  it("where there is no code, a name that says nothing is left out", () => {
    expect(said(new Error("Network connection lost."))).toBe("the storage can't be reached");
    expect(said(new TypeError("fetch failed"))).toBe("the storage can't be reached");
    expect(said(new DOMException("late", "TimeoutError"))).toBe(
      "the storage can't be reached (TimeoutError)",
    );
    expect(said(7)).toBe("the storage can't be reached (number)");
  });

  it("an answer that has no word of Redis's makes one look at the address", () => {
    const other = new errors.UpstashError('undefined, command was: ["GET","k"]');
    expect(said(other)).toBe("the storage answered with an error that is none of Redis's: is its URL right?");
    expect(said(new errors.UpstashError('ERR odd, command was: ["GET","k"]'))).toBe(
      "the storage answered with an error",
    );
  });
});
