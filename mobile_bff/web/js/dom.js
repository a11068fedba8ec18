// Makes elements. What comes from elsewhere becomes text and nothing else: there is no way in for markup.

const SVG = "http://www.w3.org/2000/svg";

/** An element. `on` holds listeners; true and false set and leave out an attribute; children may nest. */
export function h(tag, props = {}, ...children) {
  return filled(document.createElement(tag), props, children);
}

/** The same of SVG. */
export function s(tag, props = {}, ...children) {
  return filled(document.createElementNS(SVG, tag), props, children);
}

function filled(node, props, children) {
  for (const [name, value] of Object.entries(props)) {
    if (value === undefined || value === null || value === false) continue;
    if (name === "on") for (const [event, heard] of Object.entries(value)) node.addEventListener(event, heard);
    else if (name === "value") node.value = value;
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  add(node, children);
  return node;
}

/** Append children; nothing for null, undefined and false. */
export function add(node, children) {
  for (const child of [children].flat(Infinity)) {
    if (child === undefined || child === null || child === false) continue;
    node.append(child instanceof Node ? child : document.createTextNode(String(child)));
  }
  return node;
}

/** Put these in the place of whatever is in a node. */
export function fill(node, ...children) {
  node.replaceChildren();
  return add(node, children);
}

/** Text that is changed only when it differs, so that nothing is read out twice. */
export function say(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Wait; ends early, and quietly, when the signal does. */
export function pause(ms, signal) {
  return new Promise((done) => {
    const timer = setTimeout(done, ms);
    signal?.addEventListener("abort", () => { clearTimeout(timer); done(); }, { once: true });
  });
}
