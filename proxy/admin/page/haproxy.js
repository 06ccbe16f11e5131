// What HAProxy's own page shows of a proxy, in its columns and under its names, out of /haproxy.csv:
// asked for while it is unfolded.

function haproxyKey(listener) {
  return "haproxy\n" + listener;
}

async function askHaproxy() {
  const anybody = Object.keys((known.status || {listeners: {}}).listeners).some(l => unfolded.has(haproxyKey(l)));
  if (!anybody) {
    known.haproxy = null;
    return;
  }
  const answer = await ask("/haproxy.csv", {read: "text"});
  known.haproxy = answer.status === 200 ? {rows: csvRows(answer.body)} : {error: refusal(answer)};
}

// Objects by the names of the first line, which begins with "# ". No cell has a line break.
function csvRows(text) {
  const [names, ...rows] = text.replace(/^# /, "").split("\n").filter(Boolean).map(csvCells);
  return rows.map(cells => Object.fromEntries(names.map((name, i) => [name, cells[i] || ""])));
}

// Each cell ends with a comma, also the last of a line.
function csvCells(line) {
  return Array.from(line.matchAll(/(?:"((?:[^"]|"")*)"|([^,]*)),/gy), ([, quoted, plain]) =>
    quoted === undefined ? plain : quoted.replaceAll('""', '"'));
}

// --- columns -----------------------------------------------------------------------------------

const rowType = {frontend: "0", backend: "1", server: "2"};

function numberOf(field) {
  return r => r[field] === "" ? "" : shortCount(Number(r[field]));
}

// Of HAProxy's limits 0 and nothing at all are none.
function limitOf(field) {
  return r => Number(r[field]) ? count(Number(r[field])) : "";
}

// -1: it has not happened yet.
function secondsOf(field) {
  return r => r[field] === "" ? "" : r[field] === "-1" ? "?" : briefly(1000 * Number(r[field]));
}

// Mean and longest, ms.
function timesOf(field) {
  return r => r[field] === "" ? "" : `${shortCount(Number(r[field]))} / ${shortCount(Number(r[field + "_max"]))}`;
}

// One of a server is "Y", those of a backend are counted.
function presentOf(field) {
  return r => r.type === rowType.server ? (r[field] === "1" ? "Y" : unknown) : numberOf(field)(r);
}

function statusOf(r) {
  const kind = /^(UP|OPEN|no check)/.test(r.status) ? "ok" :
    r.status !== "DOWN" ? "warn" : r.type === rowType.backend ? "bad" : "idle";
  return mark(kind, joined(r.status, r.lastchg !== "" && briefly(1000 * r.lastchg)));
}

function lastCheckOf(r) {
  if (!r.check_status) return "";
  const title = joined(r.check_desc, r.last_chk);
  const result = r.check_status + (r.check_code ? "/" + r.check_code : "");
  return h("span", {title}, r.check_status === "INI" ? result : `${result} in ${r.check_duration} ms`);
}

const nameColumn = {id: "name", title: "Name"};
const trafficOfHaproxy = [
  ...inGroup("Queue",
    ["cur", "Cur", numberOf("qcur"), "clients held"], ["qmax", "Max", numberOf("qmax")],
    ["qlimit", "Limit", limitOf("qlimit"), "maxqueue"]),
  ...inGroup("Session rate",
    ["rate", "Cur", numberOf("rate"), "in the last second"], ["rmax", "Max", numberOf("rate_max")],
    ["rlimit", "Limit", limitOf("rate_lim")]),
  ...inGroup("Sessions",
    ["now", "Cur", numberOf("scur")], ["smax", "Max", numberOf("smax")], ["slimit", "Limit", limitOf("slim"), "maxconn"],
    ["total", "Total", numberOf("stot")], ["lbtot", "LbTot", numberOf("lbtot"), "how often it was chosen"],
    ["last", "Last", secondsOf("lastsess"), "since the last session"]),
  ...inGroup("Bytes", ["in", "In", r => size(Number(r.bin))], ["out", "Out", r => size(Number(r.bout))]),
  ...inGroup("Denied", ["dcon", "Conn", numberOf("dcon"), "clients whose address is not allowed"]),
  ...inGroup("Errors",
    ["ereq", "Req", numberOf("ereq"), "clients refused before they had a session"],
    ["econ", "Conn", numberOf("econ"), "attempts to reach a server that failed, clients that found none"],
    ["eresp", "Resp", numberOf("eresp"), "sessions that the server broke"]),
  ...inGroup("Aborts",
    ["cli", "Client", numberOf("cli_abrt"), "resets by the client"], ["srv", "Server", numberOf("srv_abrt"), "resets by the server"]),
  ...inGroup("Warnings",
    ["retr", "Retr", numberOf("wretr"), "attempts made again"], ["redis", "Redis", numberOf("wredis"), "on another server"]),
];
const serversOfHaproxy = [
  ...inGroup("Server",
    ["status", "Status", statusOf, "and for how long"], ["check", "LastChk", lastCheckOf],
    ["wght", "Wght", r => r.weight === "" ? "" : `${r.weight}/${r.uweight}`, "now / configured"],
    ["act", "Act", presentOf("act"), "not a backup"], ["bck", "Bck", presentOf("bck"), "backup"],
    ["chk", "Chk", numberOf("chkfail"), "checks that failed"], ["dwn", "Dwn", numberOf("chkdown"), "how often it went down"],
    ["dwntme", "Dwntme", secondsOf("downtime"), "down in all"],
    ["thrtle", "Thrtle", r => r.throttle === "" ? "" : r.throttle + " %", "slow start"]),
  ...inGroup("Time, ms: mean / longest",
    ["qtime", "Queue", timesOf("qtime")], ["ctime", "Connect", timesOf("ctime")], ["ttime", "Total", timesOf("ttime")]),
];

function inGroup(group, ...columns) {
  const words = ["status", "check"];
  return columns.map(([id, title, of, hint]) => ({id, title, of, hint, group, number: !words.includes(id)}));
}

// --- table -------------------------------------------------------------------------------------

function haproxyTable(listener) {
  const {rows, error} = known.haproxy || {};
  if (error) return h("p", {class: "empty"}, "The counters are not known: " + error);
  const own = rows && rows.filter(r => r.pxname === listener);
  if (!own || !own.length) return h("p", {class: "empty"}, "Asking for the counters …");
  const servers = own.filter(r => r.type === rowType.server && isSought(r.svname));
  const ordered = [rowType.frontend, rowType.server, rowType.backend].flatMap(type =>
    type === rowType.server ? servers : own.filter(r => r.type === type));
  const lines = ordered.map(haproxyRow);
  const part = (what, columns) =>
    table(`${what} of listener ${listener} in HAProxy's columns`, [nameColumn, ...columns], lines, "traffic haproxy");
  return roomForAll.matches ? part("counters", [...trafficOfHaproxy, ...serversOfHaproxy]) :
    [part("traffic", trafficOfHaproxy), part("servers", serversOfHaproxy)];
}

// Else in two parts below each other.
const roomForAll = matchMedia("(min-width: 112rem)");

function haproxyRow(r) {
  const isServer = r.type === rowType.server;
  const name = isServer ? memberName(r.svname) : r.type === rowType.frontend ? "Frontend" : "Backend";
  const cells = Object.fromEntries([...trafficOfHaproxy, ...serversOfHaproxy].map(c => [c.id, c.of(r)]));
  return {
    key: r.type + r.svname,
    class: isServer ? (r.status === "DOWN" ? "is-closed" : "") : "total",
    cells: {name, ...cells},
  };
}
