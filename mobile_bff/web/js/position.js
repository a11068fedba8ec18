// Where this phone is. Phones speak WGS-84, stations GCJ-02: in China the one is bent into the other.

const AXIS_M = 6_378_245;
const FLATNESS = 0.006_693_421_622_965_943;
const PATIENCE = { enableHighAccuracy: true, timeout: 10_000, maximumAge: 60_000 };

/** Whether the driver has allowed it before: then nothing is asked. */
export async function isAllowed() {
  try {
    return (await navigator.permissions.query({ name: "geolocation" })).state === "granted";
  } catch {
    return false;
  }
}

/** The position as {latitudeE6, longitudeE6} of GCJ-02. Throws what the browser says: code 1 is "not allowed". */
export function locate() {
  return new Promise((found, failed) => {
    if (!navigator.geolocation) failed({ code: 2 });
    else navigator.geolocation.getCurrentPosition(({ coords }) => found(toGcj02(coords)), failed, PATIENCE);
  });
}

/** WGS-84 degrees as whole 10^-6 degrees of GCJ-02. */
export function toGcj02({ latitude, longitude }) {
  const isInChina = longitude > 72.004 && longitude < 137.8347 && latitude > 0.8293 && latitude < 55.8271;
  const [north, east] = isInChina ? shift(latitude, longitude) : [0, 0];
  return {
    latitudeE6: Math.round((latitude + north) * 1e6),
    longitudeE6: Math.round((longitude + east) * 1e6),
  };
}

function shift(latitude, longitude) {
  const [x, y] = [longitude - 105, latitude - 35];
  const radians = (latitude * Math.PI) / 180;
  const magic = 1 - FLATNESS * Math.sin(radians) ** 2;
  const perRadianNorth = (AXIS_M * (1 - FLATNESS)) / (magic * Math.sqrt(magic));
  const perRadianEast = (AXIS_M / Math.sqrt(magic)) * Math.cos(radians);
  const degrees = 180 / Math.PI;
  return [(northMetres(x, y) / perRadianNorth) * degrees, (eastMetres(x, y) / perRadianEast) * degrees];
}

const waves = (at, ...parts) => parts.reduce((sum, [height, times]) => sum + height * Math.sin(at * times * Math.PI), 0);
const ripple = (x) => (waves(x, [20, 6], [20, 2]) * 2) / 3;

function northMetres(x, y) {
  const slope = -100 + 2 * x + 3 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * Math.sqrt(Math.abs(x));
  return slope + ripple(x) + (waves(y, [20, 1], [40, 1 / 3], [160, 1 / 12], [320, 1 / 30]) * 2) / 3;
}

function eastMetres(x, y) {
  const slope = 300 + x + 2 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * Math.sqrt(Math.abs(x));
  return slope + ripple(x) + (waves(x, [20, 1], [40, 1 / 3], [150, 1 / 12], [300, 1 / 30]) * 2) / 3;
}
