// What this page knows: the last answers, what is unfolded, and what follows from both.

const known = {
  status: null, explain: null, events: null, // bodies of the last answers
  user: null,      // of /api/v1/user; null: this Rolegate has none
  locked: false,   // it answers to users only
  version: "",     // of the Rolegate this page came from
  sought: "",      // part of the names of members that the reader looks for, in small letters
  answered: 0,     // performance.now() of the last answer; 0: never
  answeredAt: null, // the time of day then
  haproxy: null,   // {rows, error} of /haproxy.csv while some of it is unfolded
  sessions: Object.create(null), // by listener: {list, error}, of those that are unfolded
  leases: Object.create(null),   // by cluster: the longest lease seen, ms
};

const unfolded = new Set(); // keys of what the reader has opened

const mostUnfolded = 500; // keys; a page may stay open for weeks while members come and go

function toggle(key) {
  if (!unfolded.delete(key)) unfolded.add(key);
  while (unfolded.size > mostUnfolded) unfolded.delete(unfolded.values().next().value);
  render();
  if (/^(sessions|haproxy)\n/.test(key)) pollSoon();
}

// Of clusters that are there no more.
function forgetGone(status) {
  for (const name of Object.keys(known.leases)) if (!(name in status.clusters)) delete known.leases[name];
}

function mayOperate() {
  return Boolean(known.user && known.user.may_operate);
}

// --- rates -------------------------------------------------------------------------------------

// Long enough that a rate does not flicker, short enough that it follows.
const rateWindow = 5000; // ms
let samples = []; // {at, counters: Map}, oldest first

function countersOf(status) {
  const found = new Map();
  for (const [name, listener] of Object.entries(status.listeners)) {
    const add = (key, of) => {
      found.set(key + "/sessions", of.sessions_total);
      found.set(key + "/in", of.bytes_in);
      found.set(key + "/out", of.bytes_out);
    };
    add(name, listener);
    for (const [member, traffic] of Object.entries(listener.traffic || {}))
      add(name + "\n" + member, traffic);
  }
  return found;
}

function sample(status, at) {
  const counters = countersOf(status);
  const last = samples.length ? samples[samples.length - 1].counters : null;
  // A counter that has shrunk is another process's.
  if (last && [...counters].some(([key, value]) => value < last.get(key))) samples = [];
  samples.push({at, counters});
  while (samples.length > 2 && samples[1].at <= at - rateWindow) samples.shift();
}

// A second; null: not known yet.
function rate(key) {
  if (samples.length < 2) return null;
  const first = samples[0], last = samples[samples.length - 1];
  const change = last.counters.get(key) - first.counters.get(key);
  return isNaN(change) ? null : change / ((last.at - first.at) / 1000);
}

function rateOf(listener, member, what) {
  return rate(listener + (member === null ? "" : "\n" + member) + "/" + what);
}

// --- verdicts ----------------------------------------------------------------------------------

function listenersOf(cluster) {
  const {listeners} = known.status;
  return Object.keys(listeners).filter(name => listeners[name].cluster === cluster);
}

function explained(listener) {
  return (known.explain && known.explain.listeners && known.explain.listeners[listener]) || null;
}

// What `explain` says of a member; less when it is not known.
function verdictOf(listener, member) {
  const found = explained(listener);
  const verdict = found && found.members.find(m => m.name === member);
  if (verdict) return verdict;
  const open = known.status.listeners[listener].members.includes(member);
  return {name: member, routable: open, verdict: open ? "open" : "closed", rule: "", reason: ""};
}

// An open member of a stale view is not routable.
function verdictMark(listener, verdict) {
  const kind = verdict.routable ? "ok" : verdict.verdict === "closed" ? "idle" : "warn";
  const words = verdict.routable ? "open" : verdict.verdict === "closed" ? "closed" : "no new sessions";
  return {kind, words, title: listener + ": " + words + (verdict.reason ? ", " + verdict.reason : "")};
}

function operatorState(member) {
  return member.operator_state || "ready";
}

function stateKind(member) {
  const state = String(member.state || "");
  if (/^(running|UP$|no check$)/.test(state)) return "ok";
  if (/^(starting|stopping|unknown$|UP|-$|$)/.test(state)) return "warn";
  return "bad";
}

// --- troubles ----------------------------------------------------------------------------------

// What a reader must know first: {kind: "bad" or "warn", cluster, listener, text}, the worst first.
function troubles() {
  const found = [];
  const {status} = known;
  if (status.shutting_down)
    found.push({kind: "bad", text: "This Rolegate shuts down and takes no new clients."});
  if (status.config && status.config.error)
    found.push({kind: "warn", text: `The last reload changed nothing: ${status.config.error}`});
  found.push(...processTroubles(status.process || {}));
  for (const [name, l] of Object.entries(status.listeners)) found.push(...listenerTroubles(name, l));
  for (const [name, c] of Object.entries(status.clusters)) found.push(...clusterTroubles(name, c));
  return found.sort((a, b) => (a.kind === "bad" ? 0 : 1) - (b.kind === "bad" ? 0 : 1));
}

const soon = 14 * 24 * 3600 * 1000; // ms before the end of a certificate

function processTroubles(p) {
  const found = [];
  for (const [file, left] of Object.entries(p.certificates_end_in_ms || {})) {
    if (left <= 0) found.push({kind: "bad", text: `The certificate in ${file} has expired.`});
    else if (left < soon) found.push({kind: "warn", text: `The certificate in ${file} ends in ${duration(left)}.`});
  }
  return found;
}

function listenerTroubles(listener, l) {
  const of = {listener, cluster: l.cluster};
  const held = plural(l.held, "client") + " held";
  if (l.paused) return [{...of, kind: "warn", text: `Listener ${listener} is paused by an operator, ${held}.`}];
  const more = explained(listener);
  if (more ? more.ready : l.members.length) return [];
  const why = (more && more.reason) || "no member is open";
  return [{...of, kind: "bad", text: `Listener ${listener}: ${why}${l.held ? "; " + held : ""}.`}];
}

function clusterTroubles(cluster, c) {
  const found = [];
  const add = (kind, text) => found.push({kind, cluster, text: `Cluster ${cluster} ${text}.`});
  if (c.stale && !isKnown(c.age_ms)) add("bad", "has not been seen yet: nobody is routed");
  else if (c.stale) add("bad", `has not been confirmed for ${duration(c.age_ms)}: nobody is routed by so old a view`);
  if (c.settings_waiting)
    add("warn", `is followed by its old settings, the new ones have waited for ${duration(c.settings_waiting.since_ms)}: ${c.settings_waiting.reason}`);
  if (c.dcs && !c.dcs.connected)
    add("warn", `has no connection to ${c.dcs.source}${c.dcs.error ? ": " + c.dcs.error : ""}`);
  if (c.pause) add("warn", "is paused in Patroni: it makes no failover by itself");
  if (c.switchover) {
    const {from, to, at} = c.switchover;
    add("warn", (from ? `changes its leader ${from}` : "fails over") + (to ? ` to ${to}` : "") + (at ? ` at ${at}` : "") +
        ", as somebody has asked for");
  }
  for (const member of c.members) {
    const trouble = memberTrouble(cluster, member);
    if (trouble) found.push({cluster, ...trouble});
  }
  return found;
}

function memberTrouble(cluster, m) {
  const kind = stateKind(m);
  const error = known.status.clusters[cluster].kind === "patroni" ? errorOf(cluster, m.name) : "";
  if (operatorState(m) !== "ready")
    return {kind: "warn", text: `Member ${m.name} is set to ${m.operator_state}: ${m.reason}.`};
  if (kind !== "ok") return {kind, text: `Member ${m.name} is ${m.state || "not known yet"}: ${m.reason}.`};
  if (error) return {kind: "warn", text: `Member ${m.name}: Patroni's REST API does not answer: ${error}.`};
  const unfit = listenersOf(cluster).map(l => verdictOf(l, m.name)).find(v => !v.routable && unfitRules.includes(v.rule));
  return unfit ? {kind: "warn", text: `Member ${m.name} gets no new sessions: ${unfit.reason}.`} : null;
}

// Of one that runs and that nobody has kept out on purpose.
const unfitRules = ["lag", "lag-unknown", "http-check"];

// Why Patroni does not speak for it now; "": it does, as far as is known.
function errorOf(cluster, member) {
  const listener = listenersOf(cluster)[0];
  const {evidence} = listener ? verdictOf(listener, member) : {};
  return (evidence && evidence.error) || "";
}

function worst(list) {
  return list.some(t => t.kind === "bad") ? "bad" : list.length ? "warn" : "ok";
}
