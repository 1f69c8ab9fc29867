/** The data centre that took the request, where the host says it. */
export function zoneOf(request: Request): string | undefined {
  const { cf } = request as { readonly cf?: { readonly colo?: unknown } };
  const colo = cf?.colo;
  return typeof colo === "string" && colo !== "" ? colo.slice(0, 64) : undefined;
}
