// Numbers, times and states as people read them.

const unknown = "–";

function isKnown(value) {
  return value !== null && value !== undefined;
}

// 950 ms, 2.4 s, 42 s, 3 min, 5 h 12 min, 3 d 4 h
function duration(ms) {
  if (!isKnown(ms)) return unknown;
  if (ms < 1000) return Math.round(ms) + " ms";
  const s = ms / 1000;
  if (s < 10) return s.toFixed(1) + " s";
  if (s < 120) return Math.floor(s) + " s";
  const min = Math.floor(s / 60);
  if (min < 60) return min + " min";
  const hours = Math.floor(min / 60);
  if (hours < 24) return hours + " h " + (min % 60) + " min";
  return Math.floor(hours / 24) + " d " + (hours % 24) + " h";
}

// The same where the column is narrow, and milliseconds are of no interest.
function briefly(ms) {
  return isKnown(ms) && ms < 1000 ? (ms / 1000).toFixed(1) + " s" : duration(ms);
}

// In PostgreSQL's units: a kB is 1024 bytes.
function size(bytes) {
  if (!isKnown(bytes)) return unknown;
  const units = ["B", "kB", "MB", "GB", "TB", "PB"];
  let value = bytes, unit = 0;
  while (value >= 1024 && unit + 1 < units.length) {
    value /= 1024;
    ++unit;
  }
  return (unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)) + " " + units[unit];
}

const grouped = new Intl.NumberFormat("en-US"); // toLocaleString() would make one for each number

function count(n) {
  return isKnown(n) ? grouped.format(n) : unknown;
}

// The same where the column is narrow: 12.3 M.
function shortCount(n) {
  const units = ["M", "G", "T"];
  if (!isKnown(n) || n < 1e7) return count(n);
  const unit = Math.min(units.length, Math.floor(Math.log10(n) / 3) - 1);
  return (n / 1000 ** (unit + 1)).toFixed(1) + " " + units[unit - 1];
}

function perSecond(rate) {
  if (!isKnown(rate)) return unknown;
  if (rate > 0 && rate < 0.1) return "< 0.1";
  return rate === 0 ? "0" : rate < 10 ? rate.toFixed(1) : count(Math.round(rate));
}

function sizePerSecond(rate) {
  return isKnown(rate) ? size(Math.round(rate)) + "/s" : unknown;
}

function plural(n, word) {
  return count(n) + " " + word + (n === 1 ? "" : "s");
}

function orUnknown(text) {
  return isKnown(text) && text !== "" ? String(text) : unknown;
}

const timeOfDay = new Intl.DateTimeFormat([], {hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23"});

// The time of day here; with the date when that is not today.
function clock(iso) {
  const at = new Date(iso);
  if (isNaN(at)) return String(iso);
  const time = timeOfDay.format(at);
  return at.toDateString() === new Date().toDateString() ? time : at.toLocaleDateString() + " " + time;
}

function hostPort(host, port) {
  return (String(host).includes(":") ? "[" + host + "]" : host) + ":" + port;
}

// A mark is never told by its colour alone: it has a sign and a word.
const signs = {ok: "✓", warn: "!", bad: "✗", idle: "·", busy: "…"};

function mark(kind, text, more) {
  return h("span", {class: "mark " + kind, ...more},
           h("span", {class: "sign", "aria-hidden": "true"}, signs[kind]), text);
}

function sum(values) {
  return values.reduce((all, value) => all + (value || 0), 0);
}

// "4 not_allowed, 1 no_match"; "" when there is nothing.
function tally(counts) {
  return Object.entries(counts || {}).map(([word, n]) => `${count(n)} ${word}`).join(", ");
}

function quiet(...text) {
  return h("span", {class: "quiet"}, ...text);
}

function joined(...parts) {
  return parts.filter(Boolean).join(", ");
}
