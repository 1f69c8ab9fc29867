import type { Abilities } from "./world/plan.ts";

/** What is planned of late parts. */
export const abilities: Abilities = { sockets: true, transactions: false, merge: false };
