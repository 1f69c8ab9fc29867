import { DurableObject } from "cloudflare:workers";

/** An empty object whose SQLite the portable suites borrow. */
export class TestBed extends DurableObject {}

export default {
  fetch: () => new Response("the portable suites run here", { status: 404 }),
};
