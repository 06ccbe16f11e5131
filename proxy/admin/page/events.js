// Role changes, drawn: a bar for each step, as long as what it took, to one scale for all steps.

const shownEvents = 5;
const eventWords = {
  found: "found", promoted: "promoted", resumed: "took writes again", lost: "primary lost",
};
const stepWords = {
  writes_stopped: "writes stopped", lock_lost: "lock lost", sessions_cut: "sessions cut",
  lock_taken: "lock taken", out_of_recovery: "out of recovery", first_session: "first session",
};

function eventList(events) {
  const all = unfolded.has("events");
  const shown = all ? events : events.slice(0, shownEvents);
  const other = all ? "the last " + shownEvents : "all " + events.length;
  return [
    events.length ? null : h("p", {class: "empty"}, "None since Rolegate started."),
    h("ol", {class: "events"}, shown.map(eventItem)),
    events.length > shownEvents ? foldButton("events", other, other + " role changes") : null,
  ];
}

function eventItem(event) {
  const word = event.kind === "lost" && !event.from ? "no primary yet" : eventWords[event.kind] || event.kind;
  return h("li", {key: String(event.id), class: "card event"},
    h("header", {},
      h("h3", {}, h("time", {datetime: event.at, title: event.at}, clock(event.at))),
      mark(event.kind === "lost" ? "bad" : "ok", word),
      h("span", {class: "primary"}, event.cluster, ": ",
        event.from && event.from !== event.to ? event.from + " → " : null, orNobody(event.to, "nobody")),
      h("span", {class: "outage"}, outageText(event))),
    h("ol", {class: "steps"}, steps(event)));
}

// From the first step to the new primary's first moment.
function outageText(event) {
  const open = event.steps.find(s => s.step === "out_of_recovery");
  if (event.kind === "found" || !open) return "";
  return ["no writes for ", h("strong", {}, count(open.ms) + " ms")];
}

// A first client that came late would make all other bars too short to see.
function scaleOf(list) {
  const last = list[list.length - 1];
  const before = list.length > 1 ? list[list.length - 2].ms : 0;
  const late = last.step === "first_session" && before > 0 && last.ms > 3 * before;
  return Math.max(1, late ? 1.15 * before : last.ms);
}

// Of sessions that were cut it is how many.
function detailText(step) {
  if (step.step !== "sessions_cut") return step.detail;
  const n = Number(step.detail);
  return step.detail && Number.isFinite(n) ? plural(n, "session") + " cut" : step.detail;
}

function steps(event) {
  if (!event.steps.length) return null;
  const scale = scaleOf(event.steps);
  const part = ms => Math.min(100, 100 * ms / scale);
  return event.steps.map((step, i) => {
    const from = part(i ? event.steps[i - 1].ms : 0), to = part(step.ms);
    const place = {left: from + "%", width: Math.max(0, to - from) + "%"};
    return h("li", {key: step.step + i, class: "step " + step.step},
      h("span", {class: "what"}, (stepWords[step.step] || step.step) + " ",
        step.member ? quiet(step.member) : null),
      h("span", {class: "track", "aria-hidden": "true"},
        h("span", {class: step.ms > scale ? "run cut" : "run", style: place}),
        h("span", {class: "end", style: {left: to + "%"}})),
      h("span", {class: "ms"}, count(step.ms) + " ms"),
      step.detail ? h("span", {class: "detail"}, detailText(step)) : null);
  });
}
