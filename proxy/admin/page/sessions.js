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
  const answer = await ask("/api/v1/sessions?listener=" + encodeURIComponent(listener));
  if (answer.status !== 200 || !answer.body) known.sessions[listener] = {error: refusal(answer)};
  else known.sessions[listener] = {list: answer.body.sessions.sort((a, b) => b.age_ms - a.age_ms)};
}

function askUnfoldedSessions() {
  const prefix = "sessions\n";
  const listeners = [...unfolded].filter(key => key.startsWith(prefix)).map(key => key.slice(prefix.length));
  return Promise.all(listeners.map(askSessions));
}

function sessionList(listener) {
  const {list, error} = known.sessions[listener] || {};
  if (error) return h("p", {class: "empty"}, "The sessions are not known: " + error);
  if (!list) return h("p", {class: "empty"}, "Asking for the sessions …");
  if (!list.length) return h("p", {class: "empty"}, "No session now.");
  const more = `The oldest ${shownSessions} of ${count(list.length)}; rolegate sessions lists all.`;
  return h("div", {class: "sessions", tabindex: "0", role: "region", "aria-label": "sessions of listener " + listener},
    table("sessions of listener " + listener, sessionColumns, list.slice(0, shownSessions).map(sessionRow)),
    list.length > shownSessions ? h("p", {class: "empty"}, more) : null);
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
