// Tables that become a list of cards on a narrow screen: each cell then says its column itself.

// columns: [{id, title, group, number, hint}]; rows: [{key, class, cells: {ID: content}, below}].
// `below` is what is unfolded under a row. Columns nobody has anything for are left out.
function table(label, columns, rows, kind = "") {
  const used = columns.filter(c => rows.some(row => isShown(row.cells[c.id])));
  const groups = [];
  const begins = new Set(); // the first column of each group
  for (const c of used) {
    const last = groups[groups.length - 1];
    if (last && last.title === (c.group || "")) ++last.span;
    else {
      groups.push({title: c.group || "", span: 1});
      if (c.group) begins.add(c);
    }
  }
  const head = c => h("th", {scope: "col", role: "columnheader", title: c.hint || null,
                             class: (c.number ? "number" : "") + (begins.has(c) ? " begins" : "")}, c.title);
  const grid = h("table", {class: "cards " + kind, role: "table", "aria-label": label},
    h("thead", {role: "rowgroup"},
      used.some(c => c.group) ? h("tr", {class: "groups", role: "row"}, groups.map(g =>
        h("th", {colspan: g.span, scope: "colgroup", role: "columnheader", class: g.title ? "group" : ""},
          g.title))) : null,
      h("tr", {role: "row"}, used.map(head))),
    h("tbody", {role: "rowgroup"}, rows.map(row => [
      h("tr", {key: row.key, class: row.class || "", role: "row"},
        used.map((c, i) => cell(c, i, row, begins.has(c)))),
      row.below ? h("tr", {key: row.key + "\nbelow", class: "below", role: "row"},
                    h("td", {colspan: used.length, role: "cell"}, row.below)) : null])));
  return h("div", {key: label, class: "scroll"}, grid);
}

// What is wider than its place is scrolled by keys, too, once it can have the focus.
function makeScrollable() {
  for (const place of document.querySelectorAll(".scroll")) {
    const wide = place.scrollWidth > place.clientWidth + 1;
    if (wide === place.hasAttribute("tabindex")) continue;
    const label = place.firstChild.getAttribute("aria-label");
    for (const [name, value] of [["tabindex", "0"], ["role", "region"], ["aria-label", label]])
      if (wide) place.setAttribute(name, value);
      else place.removeAttribute(name);
  }
}

// --- many members ------------------------------------------------------------------------------

const mostRows = 16; // of which a reader still sees each
const fewRows = 10;  // shown of more, until all are asked for

function isSought(name) {
  return !known.sought || name.toLowerCase().includes(known.sought);
}

// Of `names` those to be shown, in their order: those that are sought; of too many those that
// `matter` and some others.
function shortened(names, key, matter) {
  const found = names.filter(isSought);
  if (known.sought || found.length <= mostRows || unfolded.has(key)) return found;
  const first = [...found.filter(matter), ...found.filter(name => !matter(name))].slice(0, fewRows);
  const chosen = new Set(first);
  return found.filter(name => chosen.has(name));
}

function shortenedNote(names, shown, key) {
  if (known.sought)
    return shown.length < names.length ? h("p", {class: "empty"}, `${shown.length} of ${plural(names.length, "member")} found.`) : null;
  if (names.length <= mostRows) return null;
  const open = unfolded.has(key);
  return h("p", {class: "more"}, foldButton(key, open ? `the ${fewRows} that matter most` : `all ${names.length} members`,
    (open ? "fewer" : "all") + " members: " + key.replace("\n", " ")));
}

// A wide table must not break a name at every letter.
function unsqueezed(text) {
  return {"min-width": Math.min(text.length, 16) + "ch"};
}

function memberName(name) {
  return h("span", {class: "name", style: unsqueezed(name)}, name);
}

function cell(column, index, row, begins) {
  const content = row.cells[column.id];
  const classes = ["c-" + column.id, column.number && "number", begins && "begins",
                   !isShown(content) && "none", isNothing(content) && "zero"];
  return h(index === 0 ? "th" : "td", {
    role: index === 0 ? "rowheader" : "cell",
    scope: index === 0 ? "row" : null,
    class: classes.filter(Boolean).join(" "),
    "data-label": column.group ? column.group + " " + column.title : column.title,
  }, [content]);
}

// On a phone what is nothing is left out.
function isNothing(content) {
  return ["0", "0 B", "0 B/s", "0 / 0", "ready", "?", unknown].includes(content);
}

const minorFacts = ["Generation", "System"];

// [[name, content], ...] beside each other
function facts(list) {
  return h("dl", {class: "facts"}, list.filter(([, content]) => isShown(content)).map(([name, ...content]) =>
    h("div", {key: name, class: minorFacts.includes(name) ? "minor" : null},
      h("dt", {}, name), h("dd", {}, ...content))));
}

function foldButton(key, text, label) {
  const open = unfolded.has(key);
  const arrow = h("span", {class: "arrow", "aria-hidden": "true"}, open ? "▾" : "▸");
  return h("button", {type: "button", class: "fold", "aria-expanded": String(open), "aria-label": label,
                      onclick: () => toggle(key)}, arrow, text);
}
