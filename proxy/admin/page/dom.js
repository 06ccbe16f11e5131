// What is to be seen is made anew as plain values at each answer and laid over the page: an element
// that stays keeps its focus, its selection and its scroll position. Texts of strangers become text
// nodes and attribute values only, never HTML.

// h("td", {class: "number", key: "lag"}, "16 kB", null, [more])
function h(tag, of, ...children) {
  return {tag, of: of || {}, children: children.flat(Infinity).filter(isShown)};
}

function isShown(child) {
  return child !== null && child !== undefined && child !== false && child !== "";
}

function fits(node, wanted) {
  if (typeof wanted !== "object") return node.nodeType === Node.TEXT_NODE;
  return node.made === wanted.tag && node.key === wanted.of.key;
}

const drawn = ["svg", "path"];
const drawnIn = byId("drawing").namespaceURI; // whose name looks like an address elsewhere

function make(wanted) {
  if (typeof wanted !== "object") return document.createTextNode(wanted);
  const node = drawn.includes(wanted.tag) ? document.createElementNS(drawnIn, wanted.tag) :
    document.createElement(wanted.tag);
  node.made = wanted.tag;
  node.key = wanted.of.key;
  node.worn = {};
  return node;
}

// Letters that turn the direction of what follows them, beyond the name they stand in.
const turning = /[\u202a-\u202e\u2066-\u2069\u200e\u200f]/g;

function visible(text) {
  return String(text).replace(turning, "\ufffd");
}

// `on...` are handlers, `style` an object of properties; everything else is an attribute.
function dress(node, wanted) {
  if (typeof wanted !== "object") {
    const text = visible(wanted);
    if (node.data !== text) node.data = text;
    return;
  }
  for (const [name, value] of Object.entries(wanted.of)) {
    if (name === "key") continue;
    if (name.startsWith("on")) node[name] = value;
    else if (name === "style")
      for (const [property, text] of Object.entries(value)) node.style.setProperty(property, text);
    else if (node.worn[name] !== value) {
      if (value === null || value === undefined || value === false) node.removeAttribute(name);
      else node.setAttribute(name, value === true ? "" : value);
      node.worn[name] = value;
    }
  }
  for (const name of Object.keys(node.worn))
    if (!(name in wanted.of)) {
      node.removeAttribute(name);
      delete node.worn[name];
    }
  lay(node, wanted.children);
}

// Makes the children of `parent` the wanted ones; those with a key are found again wherever they are.
function lay(parent, wanted) {
  const keyed = new Map();
  for (const child of parent.childNodes) if (child.key !== undefined) keyed.set(child.key, child);
  let at = parent.firstChild;
  for (const want of wanted) {
    const key = typeof want === "object" ? want.of.key : undefined;
    let node = key === undefined ? at : keyed.get(key);
    if (!node || !fits(node, want)) node = make(want);
    if (node === at) at = at.nextSibling;
    else parent.insertBefore(node, at);
    dress(node, want);
  }
  while (at) {
    const next = at.nextSibling;
    at.remove();
    at = next;
  }
}

function byId(id) {
  return document.getElementById(id);
}
