// Listeners: who gets their sessions, and the counters that are looked at most; the others are in
// haproxy.js.

const trafficColumns = [
  {id: "name", title: "Member"},
  {id: "open", title: "New sessions"},
  {id: "now", title: "now", group: "Sessions"},
  {id: "max", title: "max", group: "Sessions", hint: "at once, so far"},
  {id: "limit", title: "limit", group: "Sessions", hint: "maxconn"},
  {id: "total", title: "total", group: "Sessions"},
  {id: "rate", title: "per s", group: "Sessions", hint: "new sessions a second, of the last 5 s"},
  {id: "last", title: "last", group: "Sessions", hint: "since the last new session"},
  {id: "in", title: "in", group: "Bytes", hint: "from clients"},
  {id: "inRate", title: "in/s", group: "Bytes"},
  {id: "out", title: "out", group: "Bytes", hint: "to clients"},
  {id: "outRate", title: "out/s", group: "Bytes"},
  {id: "connect", title: "connect", group: "Errors", hint: "attempts to reach the server that failed"},
  {id: "retries", title: "retries", group: "Errors", hint: "another attempt / on another member"},
  {id: "server", title: "server", group: "Errors", hint: "sessions that the server ended or reset"},
  {id: "client", title: "client", group: "Errors", hint: "sessions that the client reset"},
  {id: "cut", title: "cut", group: "Errors",
   hint: "sessions that Rolegate ended: role lost, moved, drained, shut down"},
  {id: "weight", title: "weight", group: "Server", hint: "now, of the whole in a slow start"},
  {id: "since", title: "since", group: "Server", hint: "since it became open, or ceased to be"},
  {id: "downs", title: "downs", group: "Server", hint: "how often it ceased to be open / for how long in all"},
].map(column => ({...column, number: Boolean(column.group)}));

// HAProxy's termination state says who ended a session, and where.
function endsLike(ended, pattern) {
  return sum(Object.entries(ended || {}).map(([state, n]) => pattern.test(state) ? n : 0));
}

function all(counts) {
  return sum(Object.values(counts || {}));
}

function listenerCard(name, l, troubles) {
  const kind = worst(troubles.filter(t => t.listener === name));
  const key = "sessions\n" + name, columns = haproxyKey(name);
  const state = l.paused ? mark("warn", "paused") : l.members.length ? mark("ok", "open") : mark("bad", "no member");
  return h("article", {key: name, id: listenerId(name), class: "card " + kind, "aria-label": "listener " + name},
    h("header", {},
      h("h3", {}, name), state,
      h("span", {class: "primary"}, l.role, " → ", orNobody(membersText(l.members, 8), "nobody")),
      h("span", {class: "actions"},
        foldButton(columns, "HAProxy's columns", "listener " + name + " in HAProxy's columns"),
        known.user ? foldButton(key, "Sessions", "sessions of listener " + name) : null,
        pauseButton(name, l))),
    facts([
      ["Bind", l.bind.join(", ") || "not bound"],
      ["Cluster", l.cluster],
      ["Balance", l.balance || (explained(name) || {}).balance],
      ["Match", matchText(l.match)],
      ["Held clients", heldText(l)],
      ["Gave up waiting", l.holds && count(all(l.holds) - (l.holds.routed || 0))],
      ["New sessions", l.rate_max ? quiet("at most ", count(l.rate_max), " in a second") : null],
      ["Refused", tally(l.rejects) || (l.rejects ? "0" : null)],
      ["Cancels", tally(l.cancels)],
    ]),
    unfolded.has(key) ? sessionList(name) : null,
    unfolded.has(columns) ? haproxyTable(name) : trafficTable(name, l));
}

// Their names; of more than `most` how many. "" without any.
function membersText(members, most) {
  return members.length <= most ? members.join(", ") : plural(members.length, "member");
}

// In the address of the page, too.
function listenerId(name) {
  return "listener:" + name;
}

function heldText(l) {
  const limits = l.queue ? `of ${count(l.queue.max)}, ${duration(l.queue.timeout_ms)} each` : "";
  const most = isKnown(l.held_max) ? "at most " + count(l.held_max) : "";
  return [h("strong", {class: l.held ? "warn" : ""}, count(l.held)), quiet(" " + joined(limits, most))];
}

function matchText(match) {
  const text = ([parameter, words]) => `${parameter}: ${[].concat(words).join(" or ")}`;
  return match ? Object.entries(match).map(text).join("; ") : null;
}

// --- traffic -----------------------------------------------------------------------------------

function trafficTable(name, l) {
  const traffic = l.traffic || {};
  const members = ((known.status.clusters[l.cluster] || {}).members || []).map(m => m.name);
  const gone = Object.keys(traffic).filter(m => m && !members.includes(m) && traffic[m].sessions > 0);
  const key = "traffic\n" + name;
  const rows = [...members, ...gone];
  const shown = shortened(rows, key, m => l.members.includes(m));
  return [table("traffic of listener " + name, trafficColumns,
                [...shown.map(m => memberTraffic(name, l, m, traffic[m] || {})),
                 totalRow(name, l, Object.values(traffic))], "traffic"),
          shortenedNote(rows, shown, key)];
}

// A column whose number is not told is left out.
function told(value, text) {
  return isKnown(value) ? text(value) : "";
}

function memberTraffic(name, l, member, t) {
  const verdict = verdictOf(name, member);
  const {kind, words, title} = verdictMark(name, verdict);
  return {
    key: member,
    class: verdict.routable ? "" : "is-closed",
    cells: {
      name: memberName(member),
      open: mark(kind, words === "no new sessions" ? "no new" : words, {title}),
      now: count(t.sessions || 0),
      limit: told(t.maxconn, count),
      ...numbers(name, member, t),
      ...errors([t], t.ended),
      weight: weightText(verdict.share),
    },
  };
}

function totalRow(name, l, traffic) {
  return {
    key: "\ntotal",
    class: "total",
    cells: {
      name: "all",
      open: plural(l.members.length, "member"),
      now: count(l.sessions),
      limit: isKnown(l.maxconn) ? count(l.maxconn) : l.traffic ? "none" : "",
      ...numbers(name, null, l),
      ...errors(traffic, l.traffic),
    },
  };
}

function weightText(share) {
  if (!share) return unknown;
  if (share.idle_backup) return "backup";
  return share.weight === share.of ? String(share.weight) : `${share.weight}/${share.of}`;
}

// What a member's counters and a listener's have in common.
function numbers(name, member, t) {
  return {
    max: told(t.sessions_max, count),
    total: told(t.sessions_total, shortCount),
    rate: told(t.sessions_total, () => perSecond(rateOf(name, member, "sessions"))),
    last: t.last_session_ms === null ? unknown : told(t.last_session_ms, briefly),
    in: told(t.bytes_in, size),
    inRate: told(t.bytes_in, () => sizePerSecond(rateOf(name, member, "in"))),
    out: told(t.bytes_out, size),
    outRate: told(t.bytes_out, () => sizePerSecond(rateOf(name, member, "out"))),
    since: told(t.last_change_ms, briefly),
    downs: told(t.losses, losses => losses ? `${count(losses)} / ${briefly(t.downtime_ms)}` : "0"),
  };
}

// Summed up over `traffic`; nothing when they are not told.
function errors(traffic, areTold) {
  const total = of => told(areTold, () => shortCount(sum(traffic.map(of))));
  const failed = traffic.some(t => isKnown(t.failed));
  return {
    connect: total(t => failed ? t.failed : endsLike(t.ended, /^[Ss]C/)),
    retries: failed ? `${total(t => t.retries)} / ${total(t => t.redispatches)}` : "",
    server: total(t => endsLike(t.ended, /^[Ss]D/)),
    client: total(t => endsLike(t.ended, /^[Cc]D/)),
    cut: total(t => all(t.shut_down)),
  };
}
