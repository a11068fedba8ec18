// The paper under the map: a grid of round lengths, and circles of them about the driver.
import { distance } from "./format.js";
import { roundLength } from "./plane.js";

const GRID_PX = 70;
const RING_PX = 110;
const RINGS = 4;

/** Rule a canvas. `origin` and `own` are in its pixels, `metre` is the pixels of one. */
export function ruled(canvas, { width, height, origin, metre, own }) {
  const density = Math.min(3, devicePixelRatio || 1);
  if (canvas.width !== Math.round(width * density) || canvas.height !== Math.round(height * density)) {
    canvas.width = Math.round(width * density);
    canvas.height = Math.round(height * density);
    canvas.style.width = `${width}px`;
    canvas.style.height = `${height}px`;
  }
  const pen = canvas.getContext("2d");
  const style = getComputedStyle(canvas);
  const colour = (name) => style.getPropertyValue(name).trim();
  pen.setTransform(density, 0, 0, density, 0, 0);
  pen.fillStyle = colour("--map");
  pen.fillRect(0, 0, width, height);
  grid(pen, { width, height, origin, step: roundLength((GRID_PX * 2) / metre) * metre, colour: colour("--map-line") });
  if (own) rings(pen, own, metre, colour("--map-ring"), colour("--muted"));
}

function grid(pen, { width, height, origin, step, colour }) {
  pen.strokeStyle = colour;
  for (const [space, weight] of [[step / 5, 0.5], [step, 1]]) {
    if (space < 9) continue;
    pen.lineWidth = weight;
    pen.beginPath();
    for (let x = ((origin.x % space) + space) % space; x < width; x += space) {
      pen.moveTo(Math.round(x) + 0.5, 0);
      pen.lineTo(Math.round(x) + 0.5, height);
    }
    for (let y = ((origin.y % space) + space) % space; y < height; y += space) {
      pen.moveTo(0, Math.round(y) + 0.5);
      pen.lineTo(width, Math.round(y) + 0.5);
    }
    pen.stroke();
  }
}

function rings(pen, own, metre, colour, ink) {
  const length = roundLength(RING_PX / metre);
  pen.strokeStyle = colour;
  pen.fillStyle = ink;
  pen.lineWidth = 1.25;
  pen.font = "11px system-ui, sans-serif";
  pen.textAlign = "center";
  for (let times = 1; times <= RINGS; times += 1) {
    const radius = length * metre * times;
    pen.beginPath();
    pen.arc(own.x, own.y, radius, 0, 2 * Math.PI);
    pen.stroke();
    pen.fillText(distance(Math.max(1, Math.round(length * times))), own.x, own.y - radius - 4);
  }
}
