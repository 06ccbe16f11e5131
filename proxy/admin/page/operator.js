// What an operator does: sign in, and ask for changes. Whatever ends or stops traffic asks back.

const operatorStates = [
  {state: "ready", hint: "takes new sessions again"},
  {state: "drain", hint: "no new sessions; those it has go on",
   ask: "It gets no new sessions. Those it has go on."},
  {state: "maint", hint: "no new sessions; those it has end", danger: true,
   ask: "It gets no new sessions, and those it has are ended with their transactions."},
];

function operatorCell(cluster, m) {
  if (!m.operator_state) return null;
  if (!mayOperate())
    return m.operator_state === "ready" ? "ready" : mark("warn", m.operator_state);
  return h("span", {class: "choice", role: "group", "aria-label": "operator state of " + m.name},
    operatorStates.map(({state, hint}) => h("button", {
      type: "button", key: state, title: hint, "aria-pressed": String(m.operator_state === state),
      class: m.operator_state === state ? "now " + state : "",
      "aria-label": state + ": " + m.name,
      onclick: () => setMember(cluster, m, state),
    }, state)));
}

function pauseButton(name, l) {
  if (!mayOperate()) return null;
  const verb = l.paused ? "resume" : "pause";
  return h("button", {type: "button", key: "pause", "aria-label": verb + " listener " + name,
                      onclick: () => setPaused(name, l)}, verb);
}

async function setMember(cluster, m, state) {
  if (m.operator_state === state) return;
  const {ask: text, danger} = operatorStates.find(s => s.state === state);
  if (text) {
    const isPrimary = known.status.clusters[cluster].primary === m.name;
    const now = m.sessions ? ` It has ${plural(m.sessions, "session")} now.` : "";
    const writers = isPrimary ? " It is the primary: new writers wait until another one is, or it is ready again." : "";
    if (!await confirmed(`Set ${m.name} to ${state}?`, text + now + writers, state, danger)) return;
  }
  await act(`${m.name} is set to ${state}.`, `/api/v1/members/${part(cluster)}/${part(m.name)}/state`, {state});
}

async function setPaused(name, l) {
  const path = `/api/v1/listeners/${part(name)}/${l.paused ? "resume" : "pause"}`;
  const most = l.queue ? `, each for ${duration(l.queue.timeout_ms)} at most` : "";
  if (!l.paused && !await confirmed(`Pause listener ${name}?`,
      `New clients are held at the door until it is resumed${most}. Sessions go on.`, "pause", false))
    return;
  await act(`Listener ${name} ${l.paused ? "takes clients again" : "is paused"}.`, path, null);
}

async function kill(s) {
  const whose = `The session of ${orUnknown(s.user)} from ${orUnknown(s.client)} on ${orUnknown(s.member)}`;
  if (await confirmed(`Kill session ${s.id}?`, whose + " is ended at once.", "kill", true))
    await act(body => `Session ${s.id} ${body.result === "ending" ? "was ending already" : "is ended"}.`,
              `/api/v1/sessions/${part(s.id)}/kill`, null);
}

function part(name) {
  return encodeURIComponent(name);
}

async function act(done, path, body) {
  try {
    const answer = await ask(path, {method: "POST", body});
    if (answer.status === 401 || answer.status === 403) await askWhoIAm();
    const warnings = ((answer.body && answer.body.warnings) || []).join(" ");
    const said = typeof done === "function" ? done(answer.body || {}) : done;
    if (answer.status < 300) tell(warnings ? "warn" : "ok", `${said} ${warnings}`);
    else tell("bad", "Refused: " + refusal(answer));
  } catch (silent) {
    tell("bad", "No answer: whether it was done is not known.");
  }
  pollSoon();
}

// --- what is said back -------------------------------------------------------------------------

let toldUntil = 0;

function tell(kind, text) {
  const told = byId("told");
  told.className = kind;
  told.textContent = text;
  told.hidden = false;
  toldUntil = performance.now() + (kind === "ok" ? 6000 : 20000);
}

function forgetTold() {
  if (toldUntil && performance.now() > toldUntil) {
    byId("told").hidden = true;
    toldUntil = 0;
  }
}

// --- dialogs -----------------------------------------------------------------------------------

// Resolves to true or false once the reader has chosen.
function confirmed(title, text, verb, danger) {
  const dialog = byId("confirm");
  byId("confirm-title").textContent = title;
  byId("confirm-text").textContent = text;
  const yes = byId("confirm-yes");
  yes.textContent = verb;
  yes.className = danger ? "danger strong" : "strong";
  return new Promise(resolve => {
    dialog.returnValue = "";
    dialog.onclose = () => resolve(dialog.returnValue === "yes");
    dialog.showModal();
    byId("confirm-no").focus();
  });
}

function openSignIn() {
  byId("sign-in-error").textContent = "";
  const dialog = byId("sign-in");
  if (!dialog.open) dialog.showModal();
  byId("user").focus();
}

async function signIn(event) {
  event.preventDefault();
  const attempt = basic(byId("user").value, byId("password").value);
  const error = byId("sign-in-error");
  error.textContent = "";
  try {
    const answer = await ask("/api/v1/user", {as: attempt});
    if (answer.status === 200 && answer.body && answer.body.may_operate) {
      credentials = attempt;
      known.user = answer.body;
      known.locked = false;
      byId("sign-in").close();
      tell("ok", "Signed in as " + byId("user").value + ".");
      pollSoon();
    } else {
      const why = (answer.body && answer.body.why) || refusal(answer);
      error.textContent = answer.status === 401 ? "Wrong user or password." : `Refused: ${why}.`;
      byId("password").select();
    }
  } catch (silent) {
    error.textContent = "Rolegate does not answer.";
  }
  if (credentials) byId("password").value = "";
}

function signOut() {
  credentials = null;
  known.user = null;
  byId("password").value = "";
  askWhoIAm().catch(() => {}).then(render);
}

async function askWhoIAm() {
  const answer = await ask("/api/v1/user");
  if (answer.status === 401 && credentials) { // the users have changed
    credentials = null;
    return askWhoIAm();
  }
  known.user = answer.status === 200 && answer.body && "may_operate" in answer.body ? answer.body : null;
}

function operatorCorner() {
  if (!known.user) return known.locked ? [h("button", {type: "button", onclick: openSignIn}, "Sign in")] : [];
  const {user, may_operate: may, needs_user: needs, why} = known.user;
  if (may)
    return [h("span", {class: "quiet"}, user ? ["Operator ", h("strong", {}, user)] : "Operator: this host"),
            credentials ? h("button", {type: "button", onclick: signOut}, "Sign out") : null].filter(isShown);
  if (needs)
    return [h("button", {type: "button", "aria-label": "sign in to operate", onclick: openSignIn}, "Sign in")];
  return why ? [h("span", {class: "quiet"}, "No operator here: " + why)] : [];
}
