// The sessions of a listener, asked for while they are unfolded.

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

async function askSessions(listener) {
  const answer = await ask(`/api/v1/sessions?listener=${encodeURIComponent(listener)}&limit=${shownSessions}`);
  if (answer.status !== 200 || !answer.body) known.sessions[listener] = {error: refusal(answer)};
  else known.sessions[listener] = {list: answer.body.sessions, total: answer.body.total};
}

function askUnfoldedSessions() {
  const {listeners} = known.status || {listeners: {}};
  const open = Object.keys(listeners).filter(l => unfolded.has("sessions\n" + l));
  for (const l of Object.keys(known.sessions)) if (!open.includes(l)) delete known.sessions[l];
  return Promise.all(open.map(askSessions));
}

function sessionList(listener) {
  const {list, total, error} = known.sessions[listener] || {};
  if (error) return h("p", {class: "empty"}, "The sessions are not known: " + error);
  if (!list) return h("p", {class: "empty"}, "Asking for the sessions …");
  if (!list.length) return h("p", {class: "empty"}, "No session now.");
  const more = `The oldest ${shownSessions} of ${count(total)}; rolegate sessions lists all.`;
  return h("div", {class: "sessions", tabindex: "0", role: "region", "aria-label": "sessions of listener " + listener},
    table("sessions of listener " + listener, sessionColumns, list.map(sessionRow)),
    total > list.length ? h("p", {class: "empty"}, more) : null);
}

function sessionRow(s) {
  return {
    key: String(s.id),
    cells: {
      id: String(s.id),
      client: orUnknown(s.client),
      member: orUnknown(s.member),
      user: orUnknown(s.user),
      database: orUnknown(s.database),
      state: orUnknown(s.state),
      age: briefly(s.age_ms),
      in: size(s.bytes_in),
      out: size(s.bytes_out),
      kill: mayOperate() ? h("button", {type: "button", class: "danger", "aria-label": "kill session " + s.id,
                                        onclick: () => kill(s)}, "kill") : null,
    },
  };
}
