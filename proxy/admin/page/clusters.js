// Clusters and their members.

const memberColumns = [
  {id: "name", title: "Member"},
  {id: "role", title: "Role"},
  {id: "state", title: "State"},
  {id: "routable", title: "New sessions from", hint: "which listeners send it new sessions"},
  {id: "timeline", title: "TL", number: true, hint: "timeline"},
  {id: "lag", title: "Lag", number: true, hint: "WAL it has not replayed"},
  {id: "sessions", title: "Sessions", number: true, hint: "of all listeners, now"},
  {id: "weight", title: "Weight", number: true},
  {id: "changed", title: "Since", number: true,
   hint: "since it last became routable for a listener, or ceased to be"},
  {id: "checks", title: "Checks", number: true, hint: "answered / failed"},
  {id: "operator", title: "Operator", hint: "what an operator has set it to"},
];

function clusterCard(name, cluster, all) {
  const kind = worst(all.filter(t => t.cluster === name));
  const {members} = cluster;
  const key = "members\n" + name;
  const byName = new Map(members.map(m => [m.name, m]));
  const matters = m => m.name === cluster.primary || stateKind(m) !== "ok" || operatorState(m) !== "ready";
  const shown = shortened([...byName.keys()], key, n => matters(byName.get(n)));
  return h("article", {key: name, id: "cluster:" + name, class: "card " + kind, "aria-label": "cluster " + name},
    h("header", {},
      h("h3", {}, name),
      mark(kind, {ok: "healthy", warn: "look at it", bad: "in trouble"}[kind]),
      cluster.kind === "tcp" ? null : h("span", {class: "primary"}, "primary ", orNobody(cluster.primary, "none")),
      flags(cluster)),
    clusterFacts(name, cluster),
    table("members of cluster " + name, memberColumns, shown.map(n => memberRow(name, cluster, byName.get(n)))),
    shortenedNote([...byName.keys()], shown, key),
    members.length ? null : h("p", {class: "empty"}, "No member is known yet."));
}

function orNobody(name, nobody) {
  return name ? h("strong", {}, name) : h("strong", {class: "bad"}, nobody);
}

function flags(cluster) {
  const flag = (on, text, kind = "") => on ? h("span", {key: text, class: "flag " + kind}, text) : null;
  return h("span", {class: "flags"},
    flag(cluster.kind !== "patroni", cluster.kind),
    flag(cluster.standby_cluster, "standby cluster: its leader follows another cluster"),
    flag(cluster.failsafe_mode, "failsafe mode"),
    flag(cluster.pause, "paused in Patroni", "warn"),
    flag(cluster.switchover, "switchover asked for", "warn"),
    flag(cluster.stale, "stale", "bad"));
}

function clusterFacts(name, cluster) {
  const {lock, dcs} = cluster;
  return facts([
    ["Leader lock", lock && lockText(lock)],
    ["Lease left", lock && isKnown(lock.ttl_left_ms) ? lease(name, lock.ttl_left_ms) : null],
    ["View", isKnown(cluster.age_ms) ? duration(cluster.age_ms) + " old" : "never confirmed"],
    ["Timeline", cluster.highest_timeline || null],
    ["Generation", count(cluster.generation)],
    ["DCS", dcs && dcsText(dcs)],
    ["System", cluster.system_identifier && quiet(cluster.system_identifier)],
  ]);
}

function lockText(lock) {
  if (lock.state !== "held") return mark("warn", lock.state === "none" ? "free" : "not known");
  const alone = lock.by_lease ? " (by its lease alone)" : "";
  return [h("strong", {}, lock.holder),
          quiet(` for ${duration(lock.since_ms)}, says ${orUnknown(lock.source)}${alone}`)];
}

function dcsText(dcs) {
  return [mark(dcs.connected ? "ok" : "warn", dcs.source + (dcs.connected ? "" : ": not connected")),
          dcs.endpoint ? quiet(" " + dcs.endpoint) : null];
}

// Against the longest one seen, since nobody says how long it was made.
function lease(cluster, left) {
  const whole = known.leases[cluster] = Math.max(known.leases[cluster] || 0, left);
  const part = whole ? Math.round(100 * left / whole) : 0;
  return [h("span", {class: part < 25 ? "bar low" : "bar", "aria-hidden": "true"},
            h("span", {style: {width: part + "%"}})), duration(left)];
}

function memberRow(cluster, of, m) {
  const key = "member\n" + cluster + "\n" + m.name;
  const listeners = listenersOf(cluster);
  const kind = stateKind(m);
  return {
    key,
    class: [m.name === of.primary && "is-primary", kind !== "ok" && "is-" + kind].filter(Boolean).join(" "),
    cells: {
      name: [memberName(m.name), h("span", {class: "address", style: unsqueezed(hostPort(m.host, m.port))}, hostPort(m.host, m.port))],
      role: m.role && h("span", {class: "role " + m.role}, roleText(m)),
      state: mark(kind, orUnknown(m.state) + (m.listed ? "" : ", not listed")),
      routable: [h("span", {class: "marks"}, listeners.map(l => routableMark(l, m.name))),
                 foldButton(key, h("span", {class: "reason"}, m.reason), `why: ${m.name}, ${m.reason}`)],
      timeline: of.kind === "tcp" ? "" : orUnknown(m.timeline),
      lag: of.kind === "tcp" ? "" : m.role === "primary" ? unknown : size(m.lag_bytes),
      sessions: [count(m.sessions), isKnown(m.maxconn) ? quiet(" / " + count(m.maxconn)) : null],
      weight: isKnown(m.weight) ? [count(m.weight), m.backup ? h("span", {class: "flag"}, "backup") : null] : null,
      changed: isKnown(m.last_change_ms) ? briefly(m.last_change_ms) : null,
      checks: isKnown(m.checks_ok) ? checkCounts(m) : null,
      operator: operatorCell(cluster, m),
    },
    below: unfolded.has(key) ? why(cluster, m, listeners) : null,
  };
}

function checkCounts(m) {
  return [count(m.checks_ok), h("span", {class: m.checks_failed ? "bad-text" : "quiet"}, " / " + count(m.checks_failed))];
}

function roleText(m) {
  return joined(m.role.replace("_", " "), ["sync", "quorum"].includes(m.sync_state) && m.sync_state);
}

function routableMark(listener, member) {
  const {kind, words, title} = verdictMark(listener, verdictOf(listener, member));
  return mark(kind, [listener, h("span", {class: "unseen"}, ": " + words)], {title, key: listener});
}

// --- why ---------------------------------------------------------------------------------------

// What each listener makes of a member, and the evidence for it.
function why(cluster, m, listeners) {
  const verdicts = listeners.map(l => [l, verdictOf(l, m.name)]);
  const {evidence} = (verdicts[0] && verdicts[0][1]) || {};
  return h("div", {class: "why"},
    h("ul", {class: "verdicts"}, verdicts.map(([listener, v]) =>
      h("li", {key: listener},
        mark(verdictMark(listener, v).kind, listener + ": " + verdictMark(listener, v).words), " ",
        v.rule ? h("code", {}, v.rule) : null, " ", v.reason, shareText(v.share)))),
    evidence ? evidenceFacts(evidence, known.status.clusters[cluster].kind) : h("p", {class: "empty"}, "The evidence is not known."),
    checksOf(cluster, m.name));
}

function shareText(share) {
  if (!share) return "";
  return "; " + joined(
    "weight " + share.weight + (share.weight === share.of ? "" : " of " + share.of),
    share.throttle < 100 && `slow start at ${share.throttle} %`,
    share.idle_backup && "idle backup");
}

function ago(ms, what) {
  return isKnown(ms) ? `${what}${duration(ms)} ago` : "";
}

function sqlText(sql) {
  if (!sql) return null;
  const word = isKnown(sql.in_recovery) ? (sql.in_recovery ? "in recovery" : "not in recovery") : "no answer";
  return joined(word, ago(sql.age_ms, "")) + (sql.error ? ": " + sql.error : "");
}

function evidenceFacts(e, kind) {
  const word = (ago(e.word_age_ms, "") || "no answer yet") + (e.error ? "; now: " + e.error : "");
  const lag = joined(size(e.lag_bytes), isKnown(e.lag_time_ms) && duration(e.lag_time_ms));
  return facts([
    [{patroni: "REST API", tcp: "Last check"}[kind], kind === "postgres" ? null : word],
    ["SQL", sqlText(e.sql)],
    ["Says of itself", joined(e.role, e.state_text || e.state)],
    ["Timeline", e.timeline],
    ["Lag", kind === "tcp" || e.role === "primary" ? null : lag],
    ["Replication", e.replication_state],
    ["Sync state", e.sync_state === "unknown" ? null : e.sync_state],
    ["Listed", e.listed ? ago(e.listed_age_ms, "") || "yes" : "no longer"],
    ["Tags", joined(...Object.entries(e.tags || {}).map(([tag, value]) => tag + ": " + value))],
    ["Check", e.check || e.http_check],
    ["Connects to", e.address ? hostPort(e.address, e.port) : "no address yet"],
    ["API", e.api_url],
  ]);
}

function checksOf(cluster, member) {
  const {checks} = (known.explain && known.explain.clusters && known.explain.clusters[cluster]) || {};
  const own = (checks || []).filter(c => c.member === member);
  const text = c => `${c.source}: ${tally(c.results)}` +
    (c.error ? ` (last: ${c.error}, ${duration(c.error_age_ms)} ago)` : "");
  return own.length ? h("p", {class: "quiet"}, `Asked over ${own.map(text).join("; ")}.`) : null;
}
