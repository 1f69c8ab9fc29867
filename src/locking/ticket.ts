/**
 * A waiter's ticket: its arrival and the end of its wait. The end is told by the ticket itself, so that who comes late hears that the wait is over, not
 * that there never was one, without a row for each wait that ended.
 */
export function lockTicket(arrived: number, waitUntilMs: number): string {
  return `${arrived.toString(36)}.${Math.floor(waitUntilMs).toString(36)}`;
}

/** The Unix ms at which the wait of a ticket was to end; undefined: no ticket has this form. */
export function ticketEndMs(ticket: string): number | undefined {
  const [, end] = /^[0-9a-z]{1,11}\.([0-9a-z]{1,11})$/.exec(ticket) ?? [];
  return end === undefined ? undefined : Number.parseInt(end, 36);
}
