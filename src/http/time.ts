const isoForm =
  /^\d{4}-(\d{2})-(\d{2})T([01]\d|2[0-3]):[0-5]\d(?::[0-5]\d(?:\.\d{1,9})?)?(?:Z|[+-](?:[01]\d|2[0-3]):[0-5]\d)$/;

/**
 * A moment as Unix ms, from ISO 8601 with its zone (`2026-11-22T10:00:00.5+01:00`) or from Unix ms in digits; undefined for anything
 * else, days that no month has included.
 */
export function parseTime(text: string): number | undefined {
  if (/^[0-9]{1,15}$/.test(text)) return Number(text);
  const match = isoForm.exec(text);
  if (match === null) return undefined;
  const day = text.slice(0, 10);
  // The host's parser takes 31 February for 3 March.
  const midnight = Date.parse(`${day}T00:00:00Z`);
  if (Number.isNaN(midnight) || !new Date(midnight).toISOString().startsWith(day)) return undefined;
  const ms = Date.parse(text);
  return ms >= 0 ? ms : undefined;
}
