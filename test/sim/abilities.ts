import type { Abilities } from "./world/plan.ts";

/** What is planned of late parts. */
export const abilities: Abilities = { sockets: false, transactions: false, merge: false };
