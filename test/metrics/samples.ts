/** The samples of an exposition: name with labels, and value. Throws on a line that is none. */
export function samplesOf(text: string): Map<string, number> {
  const samples = new Map<string, number>();
  for (const line of text.split("\n")) {
    if (line === "" || line.startsWith("#")) continue;
    const match = /^([a-z_]+(?:\{[^{}]*(?:\{[^{}]*\}[^{}]*)*\})?) ([0-9.e+-]+)$/.exec(line);
    if (match?.[1] === undefined) throw new Error(`no sample: ${line}`);
    if (samples.has(match[1])) throw new Error(`twice: ${match[1]}`);
    samples.set(match[1], Number(match[2]));
  }
  return samples;
}
