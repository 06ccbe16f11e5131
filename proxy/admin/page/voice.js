// What is said to a reader of the screen: what has changed, once, in a sentence each.

const mostSaid = 5; // sentences; the page itself has the others

let said = null; // Map: what a sentence is about -> the sentence; null: nothing yet

// Nothing here counts or grows older, else it would be said each second.
function sentences(status) {
  const found = new Map();
  for (const [name, c] of Object.entries(status.clusters)) {
    if (c.kind !== "tcp") found.set("cluster\n" + name, `Cluster ${name}: ${c.primary ? "primary " + c.primary : "no primary"}.`);
    if (c.stale) found.set("stale\n" + name, `The view of cluster ${name} is stale.`);
    for (const m of c.members) {
      const order = operatorState(m) === "ready" ? "" : ", set to " + m.operator_state;
      found.set(`member\n${name}\n${m.name}`, `Member ${m.name}: ${orUnknown(m.state)}${order}.`);
    }
  }
  for (const [name, l] of Object.entries(status.listeners)) {
    found.set("listener\n" + name, `Listener ${name}: ${l.paused ? "paused" : l.role + " to " + (membersText(l.members, 2) || "nobody")}.`);
  }
  return found;
}

function say(status) {
  const now = sentences(status);
  // At first how it stands, without the members.
  const news = [...now].filter(([about, text]) => said ? said.get(about) !== text : !about.startsWith("member")).map(([, text]) => text);
  said = now;
  if (!news.length) return;
  const more = news.length > mostSaid ? ` And ${count(news.length - mostSaid)} more.` : "";
  write("said", news.slice(0, mostSaid).join(" ") + more);
}
