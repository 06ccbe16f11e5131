// Listeners: what HAProxy's page has of a proxy and its servers.

const trafficColumns = [
  {id: "name", title: "Member"},
  {id: "open", title: "New sessions"},
  {id: "now", title: "now", group: "Sessions", number: true},
  {id: "max", title: "max", group: "Sessions", number: true},
  {id: "limit", title: "limit", group: "Sessions", number: true, hint: "maxconn"},
  {id: "total", title: "total", group: "Sessions", number: true},
  {id: "rate", title: "per s", group: "Sessions", number: true, hint: "new sessions a second, of the last 5 s"},
  {id: "rateMax", title: "max per s", group: "Sessions", number: true},
  {id: "in", title: "in", group: "Bytes", number: true, hint: "from clients"},
  {id: "inRate", title: "in/s", group: "Bytes", number: true},
  {id: "out", title: "out", group: "Bytes", number: true, hint: "to clients"},
  {id: "outRate", title: "out/s", group: "Bytes", number: true},
  {id: "refused", title: "refused", group: "Errors", number: true, hint: "clients that got no session"},
  {id: "connect", title: "connect", group: "Errors", number: true, hint: "sessions that got no server"},
  {id: "server", title: "server", group: "Errors", number: true, hint: "sessions that the server ended or reset"},
  {id: "client", title: "client", group: "Errors", number: true, hint: "sessions that the client reset"},
  {id: "cut", title: "ended here", group: "Errors", number: true, hint: "sessions that Rolegate ended: role lost, moved, shut down"},
  {id: "weight", title: "weight", group: "Server", number: true},
  {id: "connectTime", title: "connect", group: "Server", number: true, hint: "mean time of a TCP connect"},
];

// HAProxy's termination state: who, and where.
function endsLike(ended, pattern) {
  return sum(Object.entries(ended || {}).filter(([state]) => pattern.test(state)).map(([, n]) => n));
}

function listenerCard(name, l, all) {
  const own = all.filter(t => t.listener === name);
  const kind = worst(own);
  const key = "sessions\n" + name;
  return h("article", {key: name, class: "card " + kind, "aria-label": "listener " + name},
    h("header", {},
      h("h3", {}, name),
      l.paused ? mark("warn", "paused") : l.members.length ? mark("ok", "open") : mark("bad", "no member"),
      h("span", {class: "primary"}, l.role, " → ", l.members.length ? h("strong", {}, l.members.join(", ")) : h("strong", {class: "bad"}, "nobody")),
      h("span", {class: "actions"},
        known.user ? foldButton(key, "Sessions", "sessions of listener " + name) : null,
        pauseButton(name, l))),
    facts([
      ["Bind", l.bind.length ? l.bind.join(", ") : "not bound"],
      ["Cluster", l.cluster],
      ["Balance", l.balance || (explained(name) || {}).balance],
      ["Match", matchText(l.match)],
      ["Held clients", [h("strong", {class: l.held ? "warn" : ""}, count(l.held)), l.queue ? h("span", {class: "quiet"}, " of " + count(l.queue.max) + ", " + duration(l.queue.timeout_ms) + " each") : null]],
      ["Gave up waiting", l.holds && count(sum(Object.entries(l.holds).filter(([result]) => result !== "routed").map(([, n]) => n)))],
      ["Refused", l.rejects && Object.keys(l.rejects).length ? Object.entries(l.rejects).map(([reason, n]) => count(n) + " " + reason).join(", ") : null],
      ["Cancels", l.cancels && Object.keys(l.cancels).length ? Object.entries(l.cancels).map(([result, n]) => count(n) + " " + result).join(", ") : null],
    ]),
    unfolded.has(key) ? sessionList(name) : null,
    table("traffic of listener " + name, trafficColumns, trafficRows(name, l)));
}

function matchText(match) {
  return match ? Object.entries(match).map(([parameter, words]) => parameter + ": " + [].concat(words).join(" or ")).join("; ") : null;
}

function trafficRows(name, l) {
  const traffic = l.traffic || {};
  const members = ((known.status.clusters[l.cluster] || {}).members || []).map(m => m.name);
  const gone = Object.keys(traffic).filter(m => m && !members.includes(m) && traffic[m].sessions > 0);
  const rows = [...members, ...gone].map(m => memberTraffic(name, l, m, traffic[m] || {}));
  return [...rows, totalRow(name, l, Object.values(traffic))];
}

function memberTraffic(name, l, member, t) {
  const verdict = verdictOf(name, member);
  const {kind, words, title} = verdictMark(name, verdict);
  const {share} = verdict;
  return {
    key: member,
    class: verdict.routable ? "" : "is-closed",
    cells: {
      name: h("span", {class: "name"}, member),
      open: mark(kind, words, {title}),
      now: count(t.sessions || 0),
      ...numbers(name, member, t),
      limit: isKnown(t.maxconn) ? count(t.maxconn) : "",
      connect: isKnown(t.ended) ? count(endsLike(t.ended, /^[Ss]C/)) : "",
      server: isKnown(t.ended) ? count(endsLike(t.ended, /^[Ss]D/)) : "",
      client: isKnown(t.ended) ? count(endsLike(t.ended, /^[Cc]D/)) : "",
      cut: isKnown(t.shut_down) ? count(sum(Object.values(t.shut_down))) : "",
      weight: share ? (share.idle_backup ? "backup" : share.weight === share.of ? String(share.weight) : share.weight + " of " + share.of) : unknown,
      connectTime: t.connects ? duration(t.connect_avg_ms) : unknown,
    },
  };
}

function numbers(name, member, t) {
  return {
    max: isKnown(t.sessions_max) ? count(t.sessions_max) : "",
    total: isKnown(t.sessions_total) ? count(t.sessions_total) : "",
    rate: isKnown(t.sessions_total) ? perSecond(rateOf(name, member, "sessions")) : "",
    rateMax: isKnown(t.rate_max) ? count(t.rate_max) : "",
    in: isKnown(t.bytes_in) ? size(t.bytes_in) : "",
    inRate: isKnown(t.bytes_in) ? sizePerSecond(rateOf(name, member, "in")) : "",
    out: isKnown(t.bytes_out) ? size(t.bytes_out) : "",
    outRate: isKnown(t.bytes_out) ? sizePerSecond(rateOf(name, member, "out")) : "",
  };
}

function totalRow(name, l, traffic) {
  const all = of => sum(traffic.map(of));
  return {
    key: "\ntotal",
    class: "total",
    cells: {
      name: "all",
      open: plural(l.members.length, "member"),
      now: count(l.sessions),
      ...numbers(name, null, l),
      limit: isKnown(l.maxconn) ? count(l.maxconn) : l.traffic ? "none" : "",
      refused: l.rejects ? count(sum(Object.values(l.rejects)) + all(t => endsLike(t.ended, /Q$/))) : "",
      connect: l.traffic ? count(all(t => endsLike(t.ended, /^[Ss]C/))) : "",
      server: l.traffic ? count(all(t => endsLike(t.ended, /^[Ss]D/))) : "",
      client: l.traffic ? count(all(t => endsLike(t.ended, /^[Cc]D/))) : "",
      cut: l.traffic ? count(all(t => sum(Object.values(t.shut_down || {})))) : "",
    },
  };
}

// --- sessions ----------------------------------------------------------------------------------

const sessionColumns = [
  {id: "id", title: "Id"},
  {id: "client", title: "Client"},
  {id: "member", title: "Member"},
  {id: "user", title: "User"},
  {id: "database", title: "Database"},
  {id: "state", title: "State"},
  {id: "age", title: "Age", number: true},
  {id: "in", title: "In", number: true},
  {id: "out", title: "Out", number: true},
  {id: "kill", title: "Operator"},
];
const shownSessions = 200;

function sessionList(listener) {
  const {list, error} = known.sessions[listener] || {};
  if (error) return h("p", {class: "empty"}, "The sessions are not known: " + error);
  if (!list) return h("p", {class: "empty"}, "Asking for the sessions …");
  if (!list.length) return h("p", {class: "empty"}, "No session now.");
  const rows = list.slice(0, shownSessions).map(s => ({
    key: String(s.id),
    cells: {
      id: String(s.id), client: orUnknown(s.client), member: orUnknown(s.member), user: orUnknown(s.user),
      database: orUnknown(s.database), state: orUnknown(s.state), age: duration(s.age_ms), in: size(s.bytes_in), out: size(s.bytes_out),
      kill: mayOperate() ? h("button", {type: "button", class: "danger", "aria-label": "kill session " + s.id, onclick: () => kill(s)}, "kill") : null,
    },
  }));
  return h("div", {class: "sessions"}, table("sessions of listener " + listener, sessionColumns, rows),
    list.length > shownSessions ? h("p", {class: "quiet"}, "The oldest " + shownSessions + " of " + count(list.length) + "; rolegate sessions lists all.") : null);
}
