// A place in other notations: Gauss-Krueger metres of CGCS2000, and the map sheet of GB/T 13989-2012 around it.

const SEMI_MAJOR = 6378137;
const FLATTENING = 1 / 298.257222101;
const FALSE_EASTING = 500000;
const RADIANS = Math.PI / 180;

// Krueger's series in the third flattening n, to its fourth power: within a zone exact to less than a millimetre.
const N = FLATTENING / (2 - FLATTENING);
const RECTIFYING = (SEMI_MAJOR / (1 + N)) * (1 + N ** 2 / 4 + N ** 4 / 64);
const ALPHA = [
  N / 2 - (2 * N ** 2) / 3 + (5 * N ** 3) / 16 + (41 * N ** 4) / 180,
  (13 * N ** 2) / 48 - (3 * N ** 3) / 5 + (557 * N ** 4) / 1440,
  (61 * N ** 3) / 240 - (103 * N ** 4) / 140,
  (49561 * N ** 4) / 161280,
];

/** The 3-degree zone of a longitude, or null outside the zones of China (25 to 45). */
export function zoneOf(lon) {
  const zone = Math.floor((lon + 1.5) / 3);
  return zone >= 25 && zone <= 45 ? zone : null;
}

/** Gauss-Krueger metres in the 3-degree zone: {zone, northing, easting}, the easting led by the zone; or null. */
export function gaussKrueger(lon, lat) {
  const zone = zoneOf(lon);
  if (zone === null || lat < 0 || lat > 60) return null;
  const eccentricity = Math.sqrt(FLATTENING * (2 - FLATTENING));
  const sine = Math.sin(lat * RADIANS);
  const t = Math.sinh(Math.atanh(sine) - eccentricity * Math.atanh(eccentricity * sine));
  const along = (lon - 3 * zone) * RADIANS;
  const xi = Math.atan2(t, Math.cos(along));
  const eta = Math.atanh(Math.sin(along) / Math.hypot(1, t));
  const sum = (f) => ALPHA.reduce((whole, alpha, at) => whole + alpha * f(2 * (at + 1)), 0);
  const northing = RECTIFYING * (xi + sum((k) => Math.sin(k * xi) * Math.cosh(k * eta)));
  const easting = RECTIFYING * (eta + sum((k) => Math.cos(k * xi) * Math.sinh(k * eta)));
  return { zone, northing, easting: zone * 1e6 + FALSE_EASTING + easting };
}

/** Scales of the national series: denominator, letter, rows in a sheet of 1:1 000 000, digits of a row. */
export const SCALES = [
  [1000000, "", 1, 0], [500000, "B", 2, 3], [250000, "C", 4, 3], [100000, "D", 12, 3], [50000, "E", 24, 3], [25000, "F", 48, 3],
  [10000, "G", 96, 3], [5000, "H", 192, 3], [2000, "I", 576, 3], [1000, "J", 1152, 4], [500, "K", 2304, 4],
];

/** The number of the sheet of a scale that holds a place; null south of the equator and beyond 60 degrees. */
export function sheetAt(lon, lat, denominator) {
  if (lat < 0 || lat >= 60) return null;
  const [, letter, parts, digits] = SCALES.find(([one]) => one === denominator);
  // Counted in eighths of an arc second, in which the sides of all scales are whole numbers.
  const [east, north] = [Math.floor((lon + 180) * 28800 + 1e-6), Math.floor(lat * 28800 + 1e-6)];
  const [across, up] = [Math.floor(east / (172800 / parts)), Math.floor(north / (115200 / parts))];
  const whole = `${"ABCDEFGHIJKLMNO"[Math.floor(up / parts)]}${String(Math.floor(across / parts) + 1).padStart(2, "0")}`;
  const part = (value) => String(value).padStart(digits, "0");
  return digits ? `${whole}${letter}${part(parts - (up % parts))}${part((across % parts) + 1)}` : whole;
}

/** The scale of the series of which a few sheets fill a map of this scale number. */
export function suiting(denominator) {
  return (SCALES.find(([one]) => one <= denominator / 2) ?? SCALES.at(-1))[0];
}
