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
    await Promise.all([askUnfoldedSessions(), askHaproxy()]);
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
      confirmAnswer();
      known.status = known.explain = known.events = null; // not ours to see any more
      return;
    }
    throw new Error("status " + status.status);
  }
  confirmAnswer();
  known.status = status.body;
  known.version = known.version || status.body.version;
  forgetGone(status.body);
  if (explain.status === 200) known.explain = explain.body;
  if (events.status === 200) known.events = events.body;
  sample(status.body, known.answered);
  follow(status.body, known.answered);
}

function confirmAnswer() {
  known.answered = performance.now();
  known.answeredAt = new Date();
}

// --- showing -----------------------------------------------------------------------------------

function render() {
  lay(byId("operator"), operatorCorner());
  renderLiveness();
  byId("body").hidden = !known.status;
  if (!known.status) return;
  const {status} = known;
  const all = troubles();
  write("version", status.version);
  byId("renewed").hidden = status.version === known.version;
  lay(byId("glance"), Object.entries(status.listeners).map(([name, l]) => tile(name, l, all)));
  lay(byId("troubles"), troubleList(all));
  write("process", processText(status.process));
  byId("find").hidden = !known.sought && !Object.values(status.clusters).some(c => c.members.length > mostRows);
  lay(byId("cluster-list"), Object.entries(status.clusters).map(([name, c]) => clusterCard(name, c, all)));
  lay(byId("listener-list"), Object.entries(status.listeners).map(([name, l]) => listenerCard(name, l, all)));
  lay(byId("event-list"), eventList((known.events && known.events.events) || []).filter(isShown));
  makeScrollable();
  document.title = title(status, all);
  showIcon(worst(all));
  say(status);
}

const shownTroubles = 6;

function troubleList(all) {
  const open = unfolded.has("troubles");
  const shown = open ? all : all.slice(0, shownTroubles);
  return [
    ...shown.map((t, i) => h("li", {key: i, class: t.kind}, mark(t.kind, t.text))),
    all.length > shownTroubles ? h("li", {key: "more", class: "more"},
      foldButton("troubles", open ? `the first ${shownTroubles}` : `${all.length - shownTroubles} more`,
                 open ? "fewer troubles" : "all troubles")) : null,
  ].filter(isShown);
}

// A text that stays is left alone: readers of the screen would say it again.
function write(id, text) {
  if (byId(id).textContent !== text) byId(id).textContent = text;
}

// In the tab: a disc, a triangle or a square.
const iconShapes = {
  ok: "%3Ccircle cx='8' cy='8' r='7' fill='%231a9c5b'/%3E", warn: "%3Cpath d='M8 1l8 14H0z' fill='%23d98a00'/%3E",
  bad: "%3Cpath d='M1 1h14v14H1z' fill='%23d0342c'/%3E", gone: "%3Ccircle cx='8' cy='8' r='6' fill='none' stroke='%23889' stroke-width='3'/%3E",
};

function showIcon(kind) {
  const icon = `data:image/svg+xml,%3Csvg xmlns='${drawnIn}' viewBox='0 0 16 16'%3E${iconShapes[kind]}%3C/svg%3E`;
  const link = byId("icon");
  if (link.getAttribute("href") !== icon) link.setAttribute("href", icon);
}

// What a reader wants to know before everything else: where clients of each listener get to.
function tile(name, l, all) {
  const kind = worst(all.filter(t => t.listener === name));
  // With spaces at which no line is broken.
  const bytes = what => `${sizePerSecond(rateOf(name, null, what))} ${what}`.replace(/ /g, "\u00a0");
  // Of "10.0.0.1:5432" the port is what people know the listener by.
  const ports = l.bind.map(b => b.replace(/^.*:(?=\d+$)/, ":")).join(" ");
  return h("a", {key: name, class: "tile " + kind, href: "#" + encodeURIComponent(listenerId(name))},
    h("span", {class: "tile-name"}, name, quiet(ports)),
    h("span", {class: "tile-to"},
      h("span", {class: "sign", "aria-hidden": "true"}, signs[kind]), l.role, " → ", membersText(l.members, 2) || "nobody"),
    h("span", {class: "tile-more"}, joined(
      plural(l.sessions, "session"),
      l.held && plural(l.held, "client") + " held",
      l.paused && "paused",
      isKnown(rateOf(name, null, "out")) && bytes("in"),
      isKnown(rateOf(name, null, "out")) && bytes("out"))),
    trend(name));
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

function renderLiveness() {
  const silent = performance.now() - known.answered;
  const missing = failures > 0 && (!known.answered || silent > sayMissing);
  document.body.classList.toggle("missing", missing);
  byId("live").className = missing ? "bad" : known.locked ? "warn" : "ok";
  write("live", missing ? "no answer" : known.locked ? "sign in to see" : known.answered ? "live" : "connecting …");
  byId("alarm").hidden = !missing;
  if (missing) {
    write("silence", known.answered ? "for " + duration(silent) : "since the page was loaded");
    write("frozen", known.status ? `What you see is from ${clock(known.answeredAt)}.` : "");
    showIcon("gone");
    document.title = `${signs.bad} no answer · Rolegate ${location.host}`;
  }
  forgetTold();
}

function begin() {
  byId("where").textContent = location.host;
  byId("sign-in-form").onsubmit = signIn;
  byId("sign-in-no").onclick = () => byId("sign-in").close();
  document.addEventListener("visibilitychange", () => { if (!document.hidden) pollSoon(); });
  window.addEventListener("online", pollSoon);
  byId("find-name").oninput = event => {
    known.sought = event.target.value.trim().toLowerCase();
    render();
  };
  setInterval(renderLiveness, every);
  poll();
}

begin();
