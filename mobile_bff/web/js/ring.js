// The ring of progress. Without a known goal it only turns while energy flows.
import { s } from "./dom.js";

const RADIUS = 104;
const ROUND = 2 * Math.PI * RADIUS;

/** A ring: `node`, and `set({percent, isFlowing})` with percent from 0 to 100, or null. */
export function makeRing() {
  const at = { cx: 120, cy: 120, r: RADIUS };
  const arc = s("circle", { ...at, class: "ring-arc", "stroke-dasharray": `0 ${ROUND}` });
  const node = s("svg", { viewBox: "9 9 222 222", class: "ring", "aria-hidden": "true" },
    s("circle", { ...at, class: "ring-track" }), arc);
  const set = ({ percent, isFlowing }) => {
    const isOpen = percent === null;
    const share = isOpen ? (isFlowing ? 18 : 0) : percent;
    arc.setAttribute("stroke-dasharray", `${(ROUND * share) / 100} ${ROUND}`);
    arc.classList.toggle("empty", share === 0);
    node.classList.toggle("turning", isOpen && isFlowing);
    node.classList.toggle("flowing", isFlowing);
  };
  return { node, set };
}
