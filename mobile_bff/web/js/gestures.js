// Fingers, mouse, wheel and keys on a surface, as pans and zooms.

const TAP_PX = 6;
const KEY_PX = 60;
const KEYS = { ArrowLeft: [KEY_PX, 0], ArrowRight: [-KEY_PX, 0], ArrowUp: [0, KEY_PX], ArrowDown: [0, -KEY_PX] };
const ZOOM_KEYS = { "+": 0.5, "=": 0.5, "-": -0.5 };

/** `onPan(dx, dy)` in pixels; `onZoom(change, {x, y})` in powers of two about a point, or the middle. */
export function gestures(surface, { onPan, onZoom }) {
  const down = new Map();
  let travelled = 0;

  const at = (event) => {
    const box = surface.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  };
  surface.addEventListener("pointerdown", (event) => {
    if (!down.size) travelled = 0;
    down.set(event.pointerId, at(event));
  });
  surface.addEventListener("pointermove", (event) => {
    const before = down.get(event.pointerId);
    if (!before) return;
    const now = at(event);
    travelled += Math.hypot(now.x - before.x, now.y - before.y);
    if (travelled > TAP_PX) surface.setPointerCapture(event.pointerId);
    const [other] = [...down].filter(([id]) => id !== event.pointerId).map(([, point]) => point);
    if (other) pinch(before, now, other);
    else if (travelled > TAP_PX) onPan(now.x - before.x, now.y - before.y);
    down.set(event.pointerId, now);
  });
  const up = (event) => down.delete(event.pointerId);
  surface.addEventListener("pointerup", up);
  surface.addEventListener("pointercancel", up);
  // What was dragged was not meant to be opened; what a key opens was not dragged.
  surface.addEventListener("click", (event) => {
    if (event.detail && travelled > TAP_PX) event.stopPropagation();
    travelled = 0;
  }, { capture: true });

  function pinch(before, now, other) {
    const apart = (one) => Math.max(20, Math.hypot(one.x - other.x, one.y - other.y));
    onPan((now.x - before.x) / 2, (now.y - before.y) / 2);
    onZoom(Math.log2(apart(now) / apart(before)), { x: (now.x + other.x) / 2, y: (now.y + other.y) / 2 });
  }
  surface.addEventListener("wheel", (event) => {
    event.preventDefault();
    const lines = event.deltaMode === 1 ? 20 : 1;
    onZoom(Math.max(-1, Math.min(1, (-event.deltaY * lines) / 240)), at(event));
  }, { passive: false });
  surface.addEventListener("dblclick", (event) => onZoom(1, at(event)));
  surface.addEventListener("keydown", (event) => {
    if (KEYS[event.key]) onPan(...KEYS[event.key]);
    else if (ZOOM_KEYS[event.key]) onZoom(ZOOM_KEYS[event.key]);
    else return;
    event.preventDefault();
  });
}
