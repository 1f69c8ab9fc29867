/** Writes a line to the host's log; `facts` hold neither values nor tokens. */
export type Report = (message: string, facts: Readonly<Record<string, unknown>>) => void;
