// Line icons, drawn here: 24 units, 1.75 wide.
import { s } from "./dom.js";

const PATHS = {
  map: "M9 4 3.5 6v14L9 18l6 2 5.5-2V4L15 6zM9 4v14M15 6v14",
  scan: "M4 8V6a2 2 0 0 1 2-2h2M16 4h2a2 2 0 0 1 2 2v2M20 16v2a2 2 0 0 1-2 2h-2M8 20H6a2 2 0 0 1-2-2v-2M7 12h10",
  bolt: "M13 3 5 13.5h6L10 21l8-10.5h-6z",
  bill: "M6 3.5h12v17l-3-2-3 2-3-2-3 2zM9 8.5h6M9 12.5h6",
  person: "M12 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM4.5 20.5c.8-3.8 3.7-5.5 7.5-5.5s6.7 1.7 7.5 5.5",
  search: "M10.5 17a6.5 6.5 0 1 0 0-13 6.5 6.5 0 0 0 0 13zM15.5 15.5 20 20",
  locate: "M12 18.5a6.5 6.5 0 1 0 0-13 6.5 6.5 0 0 0 0 13zM12 2.5v3M12 18.5v3M2.5 12h3M18.5 12h3M12 13.5a1.5 1.5 0 1 0 0-3 1.5 1.5 0 0 0 0 3z",
  plus: "M12 5v14M5 12h14",
  minus: "M5 12h14",
  back: "M15 5l-7 7 7 7",
  next: "M9 5l7 7-7 7",
  close: "M6 6l12 12M18 6 6 18",
  wrench: "M14.5 6.5a4.5 4.5 0 0 1 5.7-1.2l-3 3 .5 2.5 2.5.5 3-3A4.5 4.5 0 0 1 17 14L9 21.5a2.1 2.1 0 0 1-3-3z",
  globe: "M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18zM3 12h18M12 3c5 5.5 5 12.5 0 18M12 3c-5 5.5-5 12.5 0 18",
  leave: "M10 4H5v16h5M14 8l4 4-4 4M9 12h9",
  camera: "M4 8h3.5L9 5.5h6L16.5 8H20v11.5H4zM12 17a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7z",
  wifi: "M3 9c5.5-5 12.5-5 18 0M6.5 12.8c3.4-3 7.6-3 11 0M10 16.5c1.3-1 2.7-1 4 0M12 19.5h.01",
  warn: "M12 4 2.8 19.5h18.4zM12 10v4.5M12 17.2h.01",
  check: "M5 12.5 10 17.5 19.5 7",
  copy: "M8.5 8.5h11v11h-11zM5.5 15.5h-1v-11h11v1",
};

/** An icon, for the eye alone: the words stand beside it or in a label. */
export function icon(name, size = 22) {
  return s("svg", { viewBox: "0 0 24 24", width: size, height: size, class: "icon", "aria-hidden": "true" },
    s("path", { d: PATHS[name] }));
}
