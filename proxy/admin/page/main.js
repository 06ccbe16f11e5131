// Asks every second and shows the answers; less often when nobody looks or nobody answers.

const every = 1000, everyHidden = 30000, slowest = 10000; // ms between questions
const sayMissing = 3000; // ms without an answer until the reader is told
const userEvery = 15000; // ms between questions who we are

let failures = 0; // in a row
let timer = 0;
let polling = false;
let again = false; // once more, when the poll that is under way has ended
let userAsked = 0;

async function poll() {
  if (polling) {
    again = true;
    return;
  }
  polling = true;
  clearTimeout(timer);
  try {
    if (!userAsked || performance.now() - userAsked > userEvery) {
      await askWhoIAm();
      userAsked = performance.now();
    }
    const [status, explain, events] = await Promise.all(
      ["/api/v1/status", "/api/v1/explain", "/api/v1/events"].map(path => ask(path)));
    await askUnfoldedSessions();
    adopt(status, explain, events);
    failures = 0;
  } catch (silent) {
    ++failures;
    userAsked = 0; // another process may answer next
  }
  polling = false;
  render();
  if (again) {
    again = false;
    poll();
    return;
  }
  const pause = failures ? Math.min(slowest, every * 2 ** (failures - 1)) : every;
  timer = setTimeout(poll, document.hidden ? Math.max(everyHidden, pause) : pause);
}

function pollSoon() {
  failures = 0;
  poll();
}

function adopt(status, explain, events) {
  known.locked = status.status === 401;
  if (status.status !== 200 || !status.body) {
    if (known.locked) {
      known.answered = performance.now();
      return;
    }
    throw new Error("status " + status.status);
  }
  known.answered = performance.now();
  known.status = status.body;
  if (explain.status === 200) known.explain = explain.body;
  if (events.status === 200) known.events = events.body;
  sample(status.body, known.answered);
}

// --- showing -----------------------------------------------------------------------------------

function render() {
  lay(byId("operator"), operatorCorner());
  renderLiveness();
  if (!known.status) return;
  const {status} = known;
  const all = troubles();
  byId("version").textContent = status.version;
  lay(byId("glance"), Object.entries(status.listeners).map(([name, l]) => tile(name, l, all)));
  lay(byId("troubles"), all.map((t, i) => h("li", {key: i, class: t.kind}, mark(t.kind, t.text))));
  byId("process").textContent = processText(status.process);
  lay(byId("cluster-list"), Object.entries(status.clusters).map(([name, c]) => clusterCard(name, c, all)));
  lay(byId("listener-list"), Object.entries(status.listeners).map(([name, l]) => listenerCard(name, l, all)));
  lay(byId("event-list"), eventList((known.events && known.events.events) || []).filter(isShown));
  document.title = title(status, all);
  say(status);
  byId("body").hidden = false;
}

// What a reader wants to know before everything else: where clients of each listener get to.
function tile(name, l, all) {
  const kind = worst(all.filter(t => t.listener === name));
  const few = l.members.length <= 2 ? l.members.join(", ") : plural(l.members.length, "member");
  // With spaces at which no line is broken.
  const bytes = what => `${sizePerSecond(rateOf(name, null, what))} ${what}`.replace(/ /g, "\u00a0");
  // Of "10.0.0.1:5432" the port is what people know the listener by.
  const ports = l.bind.map(b => b.replace(/^.*:(?=\d+$)/, ":")).join(" ");
  return h("a", {key: name, class: "tile " + kind, href: "#listeners"},
    h("span", {class: "tile-name"}, name, quiet(ports)),
    h("span", {class: "tile-to"},
      h("span", {class: "sign", "aria-hidden": "true"}, signs[kind]), l.role, " → ", few || "nobody"),
    h("span", {class: "tile-more"}, joined(
      plural(l.sessions, "session"),
      l.held && plural(l.held, "client") + " held",
      l.paused && "paused",
      isKnown(rateOf(name, null, "out")) && bytes("in"),
      isKnown(rateOf(name, null, "out")) && bytes("out"))));
}

// What HAProxy's page begins with.
function processText(p) {
  if (!p) return "";
  const sessions = sum(Object.values(known.status.listeners).map(l => l.sessions + l.held));
  return joined(
    isKnown(p.uptime_ms) && `up for ${duration(p.uptime_ms)}`,
    `configuration read ${duration(p.config_age_ms)} ago`,
    `${count(sessions)} of ${plural(p.maxconn, "client")}`,
    isKnown(p.open_files) && isKnown(p.max_files) && `${count(p.open_files)} of ${count(p.max_files)} open files`,
    isKnown(p.resident_bytes) && `${size(p.resident_bytes)} of memory`);
}

function title(status, all) {
  const clusters = Object.values(status.clusters).filter(c => c.kind !== "tcp");
  const primaries = joined(...clusters.slice(0, 3).map(c => c.primary || "no primary"));
  return `${signs[worst(all)]} ${primaries ? primaries + " · " : ""}Rolegate ${location.host}`;
}

// To a screen reader, and only when it has changed.
function say(status) {
  const text = Object.entries(status.clusters).filter(([, c]) => c.kind !== "tcp")
    .map(([name, c]) => `Cluster ${name}: ${c.primary ? "primary " + c.primary : "no primary"}.`).join(" ");
  if (byId("said").textContent !== text) byId("said").textContent = text;
}

function renderLiveness() {
  const silent = performance.now() - known.answered;
  const missing = failures > 0 && (!known.answered || silent > sayMissing);
  const live = byId("live");
  document.body.classList.toggle("missing", missing);
  live.className = missing ? "bad" : known.locked ? "warn" : "ok";
  live.textContent = missing ? "no answer" : known.locked ? "sign in to see" : known.answered ? "live" : "connecting …";
  byId("alarm").hidden = !missing;
  if (missing)
    byId("silence").textContent = known.answered ? Math.round(silent / 1000) + " s" : "the page was loaded";
  byId("frozen").textContent = known.answered ? "What you see is from then." : "";
  forgetTold();
}

function begin() {
  byId("where").textContent = location.host;
  byId("sign-in-form").onsubmit = signIn;
  byId("sign-in-no").onclick = () => byId("sign-in").close();
  document.addEventListener("visibilitychange", () => { if (!document.hidden) pollSoon(); });
  window.addEventListener("online", pollSoon);
  setInterval(renderLiveness, every);
  poll();
}

begin();
