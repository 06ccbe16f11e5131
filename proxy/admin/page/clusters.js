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
  {id: "changed", title: "Since", number: true, hint: "since it last became routable, or ceased to be"},
  {id: "checks", title: "Checks", number: true, hint: "answered / failed"},
  {id: "operator", title: "Operator", hint: "what an operator has set it to"},
];

function clusterCard(name, cluster, all) {
  const own = all.filter(t => t.cluster === name);
  const kind = worst(own);
  return h("article", {key: name, class: "card " + kind, "aria-label": "cluster " + name},
    h("header", {},
      h("h3", {}, name),
      mark(kind, kind === "ok" ? "healthy" : kind === "warn" ? "look at it" : "in trouble"),
      cluster.kind === "tcp" ? null : h("span", {class: "primary"}, "primary ",
        cluster.primary ? h("strong", {}, cluster.primary) : h("strong", {class: "bad"}, "none")),
      flags(cluster)),
    clusterFacts(name, cluster),
    table("members of cluster " + name, memberColumns, cluster.members.map(m => memberRow(name, cluster, m))),
    cluster.members.length ? null : h("p", {class: "empty"}, "No member is known yet."));
}

function flags(cluster) {
  return h("span", {class: "flags"},
    cluster.kind === "patroni" ? null : h("span", {class: "flag"}, cluster.kind),
    cluster.standby_cluster ? h("span", {class: "flag"}, "standby cluster") : null,
    cluster.pause ? h("span", {class: "flag warn"}, "paused in Patroni") : null,
    cluster.failsafe_mode ? h("span", {class: "flag"}, "failsafe mode") : null,
    cluster.switchover ? h("span", {class: "flag warn"}, "switchover asked for") : null,
    cluster.stale ? h("span", {class: "flag bad"}, "stale") : null);
}

function clusterFacts(name, cluster) {
  const {lock, dcs} = cluster;
  return facts([
    ["Leader lock", lock && lockText(lock)],
    ["Lease left", lock && isKnown(lock.ttl_left_ms) ? lease(name, lock.ttl_left_ms) : null],
    ["View", isKnown(cluster.age_ms) ? duration(cluster.age_ms) + " old" : "never confirmed"],
    ["Timeline", cluster.highest_timeline || null],
    ["Generation", count(cluster.generation)],
    ["DCS", dcs && [mark(dcs.connected ? "ok" : "warn", dcs.source + (dcs.connected ? "" : ": not connected")),
                    dcs.endpoint ? h("span", {class: "quiet"}, " " + dcs.endpoint) : null]],
    ["System", cluster.system_identifier && h("span", {class: "quiet"}, cluster.system_identifier)],
  ]);
}

function lockText(lock) {
  if (lock.state !== "held") return mark("warn", lock.state === "none" ? "free" : "not known");
  return [h("strong", {}, lock.holder), h("span", {class: "quiet"},
    " for " + duration(lock.since_ms) + ", says " + orUnknown(lock.source) + (lock.by_lease ? " (by its lease alone)" : ""))];
}

function lease(cluster, left) {
  const whole = known.leases[cluster] = Math.max(known.leases[cluster] || 0, left);
  const part = Math.round(100 * left / whole);
  return [h("span", {class: "bar" + (part < 25 ? " low" : ""), "aria-hidden": "true"}, h("span", {style: {width: part + "%"}})),
          duration(left)];
}

function memberRow(cluster, of, m) {
  const key = "member\n" + cluster + "\n" + m.name;
  const listeners = listenersOf(cluster);
  const isPrimary = m.name === of.primary;
  return {
    key,
    class: (isPrimary ? "is-primary " : "") + (stateKind(m) === "ok" ? "" : "is-" + stateKind(m)),
    cells: {
      name: [h("span", {class: "name"}, m.name), h("span", {class: "address"}, hostPort(m.host, m.port))],
      role: m.role && h("span", {class: "role " + m.role}, roleText(m)),
      state: mark(stateKind(m), orUnknown(m.state) + (m.listed ? "" : ", not listed")),
      routable: [h("span", {class: "marks"}, listeners.map(l => routableMark(l, m.name))),
                 foldButton(key, h("span", {class: "reason"}, m.reason), "why: " + m.name + ", " + m.reason)],
      timeline: orUnknown(m.timeline),
      lag: of.kind === "tcp" || m.role === "primary" ? unknown : size(m.lag_bytes),
      sessions: [count(m.sessions), isKnown(m.maxconn) ? h("span", {class: "quiet"}, " / " + count(m.maxconn)) : null],
      weight: isKnown(m.weight) ? [count(m.weight), m.backup ? h("span", {class: "flag"}, "backup") : null] : null,
      changed: isKnown(m.last_change_ms) ? duration(m.last_change_ms) : null,
      checks: isKnown(m.checks_ok) ? [count(m.checks_ok), h("span", {class: m.checks_failed ? "bad-text" : "quiet"}, " / " + count(m.checks_failed))] : null,
      operator: operatorCell(cluster, m),
    },
    below: unfolded.has(key) ? why(cluster, m, listeners) : null,
  };
}

function roleText(m) {
  return m.role.replace("_", " ") + (m.sync_state && m.sync_state !== "unknown" && m.sync_state !== "async" ? ", " + m.sync_state : "");
}

function routableMark(listener, member) {
  const {kind, words, title} = verdictMark(listener, verdictOf(listener, member));
  return mark(kind, [listener, h("span", {class: "unseen"}, ": " + words)], {title, key: listener});
}

// The evidence, and what each listener makes of it.
function why(cluster, m, listeners) {
  const verdicts = listeners.map(l => [l, verdictOf(l, m.name)]);
  const {evidence} = (verdicts[0] && verdicts[0][1]) || {};
  return h("div", {class: "why"},
    h("ul", {class: "verdicts"}, verdicts.map(([listener, v]) => {
      const {kind, words} = verdictMark(listener, v);
      return h("li", {key: listener}, mark(kind, listener + ": " + words), " ", v.rule ? h("code", {}, v.rule) : null, " ", v.reason, shareText(v.share));
    })),
    evidence ? evidenceFacts(evidence) : h("p", {class: "empty"}, "The evidence is not known."),
    checksOf(cluster, m.name));
}

function shareText(share) {
  if (!share) return "";
  return "; weight " + share.weight + (share.weight === share.of ? "" : " of " + share.of) +
    (share.throttle < 100 ? ", slow start at " + share.throttle + " %" : "") + (share.idle_backup ? ", idle backup" : "");
}

function evidenceFacts(e) {
  const sql = e.sql && (isKnown(e.sql.in_recovery) ? (e.sql.in_recovery ? "in recovery" : "not in recovery") : "no answer") +
    (isKnown(e.sql.age_ms) ? ", " + duration(e.sql.age_ms) + " ago" : "") + (e.sql.error ? ": " + e.sql.error : "");
  return facts([
    ["REST API", (isKnown(e.word_age_ms) ? "spoke " + duration(e.word_age_ms) + " ago" : "never spoke") + (e.error ? "; now: " + e.error : "")],
    ["SQL", sql],
    ["Says of itself", [e.role, e.state_text || e.state].filter(Boolean).join(", ")],
    ["Timeline", e.timeline],
    ["Lag", e.role === "primary" ? null : [size(e.lag_bytes), isKnown(e.lag_time_ms) ? ", " + duration(e.lag_time_ms) : null]],
    ["Replication", e.replication_state],
    ["Sync state", e.sync_state === "unknown" ? null : e.sync_state],
    ["Listed", e.listed ? (isKnown(e.listed_age_ms) ? duration(e.listed_age_ms) + " ago" : "yes") : "no longer"],
    ["Tags", Object.entries(e.tags || {}).map(([tag, value]) => tag + ": " + value).join(", ")],
    ["Check", e.check || e.http_check],
    ["Connects to", e.address ? hostPort(e.address, e.port) : "no address yet"],
    ["API", e.api_url],
  ]);
}

function checksOf(cluster, member) {
  const all = (known.explain && known.explain.clusters && known.explain.clusters[cluster] || {}).checks || [];
  const own = all.filter(c => c.member === member);
  return own.length ? h("p", {class: "quiet"}, "Asked over ", own.map(c => c.source + ": " +
    Object.entries(c.results).map(([result, n]) => count(n) + " " + result).join(", ") +
    (c.error ? " (last: " + c.error + ", " + duration(c.error_age_ms) + " ago)" : "")).join("; ") + ".") : null;
}
