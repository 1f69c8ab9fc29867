import { requireKey, requireVerb } from "../../auth/grant.ts";
import { WarpError } from "../../errors.ts";
import { contentTypes } from "../../metrics/exposition.ts";
import type { Format } from "../../metrics/report.ts";
import type { Call } from "../call.ts";

const openMetrics = "application/openmetrics-text";

/** The quality that `accept` gives a media type, 0 to 1; undefined: it does not name it. */
function quality(accept: string, mediaType: string): number | undefined {
  let best: number | undefined;
  for (const part of accept.split(",")) {
    const [range = "", ...parameters] = part.split(";").map((text) => text.trim().toLowerCase());
    if (range !== mediaType) continue;
    const version = parameters.find((text) => text.startsWith("version="));
    // There is one version of each; a caller that wants another does not want this.
    if (version !== undefined && mediaType === openMetrics && version !== "version=1.0.0") continue;
    const q = Number(parameters.find((text) => text.startsWith("q="))?.slice(2) ?? 1);
    if (q >= 0 && q <= 1) best = Math.max(best ?? 0, q);
  }
  return best;
}

/** OpenMetrics for who names it and does not like plain text better; text for all others. */
function formatOf(accept: string | null): Format {
  const wanted = accept === null ? undefined : quality(accept, openMetrics);
  if (accept === null || wanted === undefined || wanted === 0) return "text";
  return wanted >= (quality(accept, "text/plain") ?? 0) ? "openmetrics" : "text";
}

/** What the metrics count, from the reference; a deployment without one has no words about them. */
async function helpsOf({ deployment }: Call): Promise<Readonly<Record<string, string>>> {
  try {
    return JSON.parse((await deployment.reference?.("metrics.json")) ?? "{}") as Record<string, string>;
  } catch {
    return {};
  }
}

/** Figures with what each is about. OpenMetrics names counters without their ending. */
function withHelp(text: string, helps: Readonly<Record<string, string>>): string {
  return text.replace(/^# TYPE (\S+)/gm, (line, family: string) => {
    const help = helps[family] ?? helps[`${family}_total`];
    return help === undefined ? line : `# HELP ${family} ${help}.\n${line}`;
  });
}

/** `GET /metrics`. */
export async function scrape(call: Call): Promise<Response> {
  const { grant } = call;
  requireVerb(grant, "metrics");
  // The figures are of all spaces: not for an administrator of some.
  if (!grant.spaces.includes("*")) throw new WarpError("forbidden", "the metrics are of all spaces");
  requireKey(grant, "", "space");
  const { metrics } = call.deployment;
  if (metrics === undefined) throw new WarpError("unsupported", "this deployment keeps no metrics");
  const format = formatOf(call.request.headers.get("Accept"));
  return new Response(withHelp(await metrics.scrape(format), await helpsOf(call)), {
    headers: { "Content-Type": contentTypes[format], "Cache-Control": "no-store" },
  });
}
