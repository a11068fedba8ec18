// Power over time, as the pile reported it.
import { clock, kw } from "./format.js";
import { fill, h, s, say } from "./dom.js";
import { t } from "./i18n.js";

const WIDTH = 600;
const HEIGHT = 160;
const POINTS_MOST = 400;
const STEPS_KW = [2, 4, 8, 12, 16, 24, 32, 40, 50, 60, 80, 100, 120, 160, 200, 250, 300, 400, 500, 600, 800, 1000];

/** A curve: `node`, and `add(seconds, watts)` with seconds since the start, in order. */
export function makeCurve() {
  const area = s("path", { class: "curve-area" });
  const line = s("path", { class: "curve-line" });
  const grid = s("g", { class: "curve-grid" });
  const svg = s("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img" }, grid, area, line);
  const [top, middle] = [h("span", {}), h("span", {})];
  const [from, until] = [h("span", {}, "00:00"), h("span", {})];
  const waiting = h("p", { class: "curve-waiting" }, t("curve_waiting"));
  const node = h("figure", { class: "curve" },
    h("div", { class: "curve-box" }, svg, h("div", { class: "curve-scale", "aria-hidden": "true" }, top, middle, h("span", {}, "0")), waiting),
    h("figcaption", { class: "curve-times", "aria-hidden": "true" }, from, until));
  let points = [];
  let frame = 0;

  function draw() {
    frame = 0;
    const peak = Math.max(...points.map(([, watts]) => watts));
    const most = (STEPS_KW.find((step) => step * 960 >= peak) ?? Math.ceil(peak / 1000)) * 1000;
    const last = Math.max(60, points.at(-1)[0]);
    const x = (seconds) => ((seconds / last) * WIDTH).toFixed(1);
    const y = (watts) => (HEIGHT - 2 - (watts / most) * (HEIGHT - 6)).toFixed(1);
    const path = points.map(([seconds, watts], at) => `${at ? "L" : "M"}${x(seconds)} ${y(watts)}`).join("");
    line.setAttribute("d", path);
    area.setAttribute("d", `${path}L${x(points.at(-1)[0])} ${HEIGHT}L${x(points[0][0])} ${HEIGHT}Z`);
    fill(grid, [most, most / 2].map((watts) => s("path", { d: `M0 ${y(watts)}H${WIDTH}` })));
    say(top, `${most / 1000} kW`);
    say(middle, String(most / 2000));
    say(until, clock(Math.floor(last / 60)));
    svg.setAttribute("aria-label", t("curve_label", { now: kw(points.at(-1)[1]), most: kw(peak) }));
    waiting.hidden = true;
  }

  function add(seconds, watts) {
    points.push([Math.max(0, seconds), watts]);
    // Of a long charge every second point is enough, again and again; the newest stays.
    if (points.length > POINTS_MOST) points = points.filter((_, at) => at % 2 === 1 || at === points.length - 1);
    frame ||= requestAnimationFrame(draw);
  }
  return { node, add };
}
