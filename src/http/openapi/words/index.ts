import type * as v from "valibot";
import type { Words } from "../words.ts";
import { accessWords } from "./access.ts";
import { keyWords } from "./keys.ts";
import { leaseWords } from "./leases.ts";
import { lockWords } from "./locks.ts";
import { operationWords } from "./operations.ts";
import { registrationWords } from "./registrations.ts";

/** The words about each schema's members. */
export const words: ReadonlyMap<v.GenericSchema, Words> = new Map([
  ...accessWords,
  ...keyWords,
  ...leaseWords,
  ...lockWords,
  ...operationWords,
  ...registrationWords,
]);
