// The city as a plane: Mercator, pixels and metres, and which markers stand together. Pure.

const RADIUS_M = 6_378_137;
const WORLD_PX = 256;
const AROUND_M = 2 * Math.PI * RADIUS_M;
const NEAR_X = 78;
const NEAR_Y = 40;

export const ZOOM_LEAST = 4;
export const ZOOM_MOST = 18;

/** A place of whole 10^-6 degrees on the plane, in metres of the equator; y grows to the south. */
export function toPlane({ latitudeE6, longitudeE6 }) {
  const latitude = (Math.max(-85_000_000, Math.min(85_000_000, latitudeE6)) * Math.PI) / 180e6;
  return {
    x: (longitudeE6 * Math.PI * RADIUS_M) / 180e6,
    y: -RADIUS_M * Math.log(Math.tan(Math.PI / 4 + latitude / 2)),
  };
}

/** And back. */
export function toPlace({ x, y }) {
  const latitude = 2 * Math.atan(Math.exp(-y / RADIUS_M)) - Math.PI / 2;
  return {
    latitudeE6: Math.round((latitude * 180e6) / Math.PI),
    longitudeE6: Math.round((x * 180e6) / (Math.PI * RADIUS_M)),
  };
}

/** Pixels of a metre of the plane. */
export function scaleAt(zoom) {
  return (WORLD_PX * 2 ** zoom) / AROUND_M;
}

/** True metres of a metre of the plane, at a height of the plane. */
export function metresAt(y) {
  return 1 / Math.cosh(y / RADIUS_M);
}

/** A round length of at most this many metres: 1, 2 or 5 and noughts. */
export function roundLength(most) {
  const power = 10 ** Math.floor(Math.log10(most));
  return power * ([5, 2].find((step) => step * power <= most) ?? 1);
}

/** The middle of some places, and the zoom at which all are seen in a box of pixels. */
export function fitting(places, width, height) {
  const points = places.map(toPlane);
  const [xs, ys] = [points.map((one) => one.x), points.map((one) => one.y)];
  const span = (all) => Math.max(...all) - Math.min(...all);
  const middle = (all) => (Math.max(...all) + Math.min(...all)) / 2;
  const scale = Math.min(width / Math.max(span(xs), 1500), height / Math.max(span(ys), 1500));
  const zoom = Math.log2((scale * AROUND_M) / WORLD_PX);
  return { x: middle(xs), y: middle(ys), zoom: Math.max(ZOOM_LEAST, Math.min(ZOOM_MOST, zoom)) };
}

/** Stations that would cover each other at a zoom, put together: [{key, x, y, stations}]. */
export function clustered(stations, zoom) {
  const scale = scaleAt(Math.round(zoom * 2) / 2);
  const clusters = [];
  // In order of id, so that the same stations always make the same clusters.
  for (const station of [...stations].sort((one, other) => (one.id < other.id ? -1 : 1))) {
    const { x, y } = toPlane(station);
    const home = clusters.find((one) => Math.abs(one.x - x) * scale < NEAR_X && Math.abs(one.y - y) * scale < NEAR_Y);
    if (home) home.stations.push(station);
    else clusters.push({ key: station.id, x, y, stations: [station] });
  }
  return clusters;
}
