# SPDX-License-Identifier: PostgreSQL
"""The status page in a real browser: live, usable by an operator, on a phone, and no way in for strangers' texts."""

import base64
import csv
import contextlib
import hashlib
import http.server
import io
import json
import re
import threading
import urllib.request

import pytest

from browser import Browser
from clients import RawSession
from demo import ports
from demo.processes import TIMEOUT_SCALE, wait_until
from lagging import replay_paused, write_wal

USERS = {"dba": "s3cret", "other": "x"}
TILE = "document.querySelector('#glance .tile')"
ROWS = "document.querySelectorAll('#cluster-list tbody tr').length"
# A picture that runs a script when it cannot be loaded, the end of an attribute, and letters that turn the line.
HOSTILE = ("<img src=x onerror=window.owned=1>", "\"><script>window.owned=1</script>",
           "\u202e" + "never-ending-" * 15)
# Of HAProxy's page, in its order, but for what only HTTP has; a limit has a column where there is one.
HAPROXY_COLUMNS = {
    "Queue": ["Cur", "Max"], "Session rate": ["Cur", "Max"], "Sessions": ["Cur", "Max", "Limit", "Total", "LbTot", "Last"],
    "Bytes": ["In", "Out"], "Denied": ["Conn"], "Errors": ["Req", "Conn", "Resp"], "Aborts": ["Client", "Server"],
    "Warnings": ["Retr", "Redis"], "Server": ["Status", "LastChk", "Wght", "Act", "Bck", "Chk", "Dwn", "Dwntme"]}
# Of each element with a text of its own: is its contrast at least 4.5 to 1, as WCAG's level AA demands it?
FAINT = """(() => {
    const parse = text => { const p = text.match(/[\\d.]+/g).map(Number); return p.length < 4 ? [...p, 1] : p; };
    const over = (top, under) => under.map((c, i) => top[i] * top[3] + c * (1 - top[3]));
    const light = color => color.map(v => v / 255).map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
        .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
    const ground = e => { const all = []; for (; e; e = e.parentElement) all.unshift(parse(getComputedStyle(e).backgroundColor));
        return all.reduce((under, color) => over(color, under), [255, 255, 255]); };
    return [...document.querySelectorAll("body *")].filter(e => {
        if (![...e.childNodes].some(n => n.nodeType === 3 && n.data.trim()) || !e.getClientRects().length) return false;
        const under = ground(e), ink = over(parse(getComputedStyle(e).color), under);
        const [dim, bright] = [light(under), light(ink)].sort((a, b) => a - b);
        return (bright + 0.05) / (dim + 0.05) < 4.5; }).map(e => e.outerHTML.slice(0, 120)); })()"""


@pytest.fixture(scope="module")
def browser(directory):
    running = Browser(directory)
    yield running
    running.stop()


def url(rolegate):
    return f"http://{rolegate.admin}/"


def open_page(browser, rolegate, **more):
    page = browser.page(url(rolegate), **more)
    page.wait("it shows members", f"{ROWS} >= 1")
    return page


def tile_shows(page, text):
    page.wait(f"the first listener leads to {text}", f"{TILE}.innerText.includes({json.dumps(text)})", 60)


def is_too_wide(page):
    """What reaches beyond the window, when the page can be scrolled sideways."""
    return page.value("""(() => {
        const wide = document.documentElement.clientWidth;
        if (document.documentElement.scrollWidth <= wide) return "";
        return [...document.querySelectorAll("body *")].filter(e => e.getBoundingClientRect().right > wide + 1)
            .map(e => e.outerHTML.slice(0, 120)).slice(0, 5).join("\\n") || "something"; })()""")


def cut_off(page):
    """Tables that are wider than their place, which a reader would have to scroll sideways."""
    return page.value("""[...document.querySelectorAll('.scroll')].filter(e => e.scrollWidth > e.clientWidth + 1)
        .map(e => e.firstChild.getAttribute('aria-label') + ': ' + e.scrollWidth + ' in ' + e.clientWidth)""")


def test_a_switchover_is_seen_live(cluster, dcs_rolegate, browser):
    """The page, opened once, shows the new primary and the steps of the change without being loaded again."""
    page = open_page(browser, dcs_rolegate)
    old = cluster.leader().name
    tile_shows(page, old)
    page.value("window.opened = 'once'")

    cluster.switchover()

    new = cluster.leader().name
    assert new != old
    tile_shows(page, new)
    page.wait("the change with its steps", f"""[...document.querySelectorAll('.event')].some(e => ['promoted',
        {json.dumps(old)}, {json.dumps(new)}, 'lock taken', ' ms'].every(word => e.innerText.includes(word)))""", 60)
    page.wait("the holder of the lock", f"document.querySelector('#members .facts').innerText.includes({json.dumps(new)})")
    page.wait("the primary's row", f"(document.querySelector('.is-primary') || {{}}).innerText.includes({json.dumps(new)})")
    page.wait("it is said, too", f"document.querySelector('#said').textContent.includes('primary ' + {json.dumps(new)})"
              f" || document.querySelector('#said').textContent.includes('primary to ' + {json.dumps(new)})")
    assert page.value("window.opened") == "once"
    assert page.problems == []


def test_an_operator_works_with_the_page(cluster, make_rolegate, browser):
    """A wrong password is refused with a word. The right one gives buttons: drain and ready, pause and resume, kill."""
    proxy = make_rolegate([node.rest for node in cluster.nodes], admin={"users": USERS})
    proxy.start()
    proxy.wait_routable("read", [node.name for node in cluster.replicas()])
    page = open_page(browser, proxy)
    buttons = "document.querySelectorAll('.choice button, .actions button[aria-label^=pause]').length"
    replica = cluster.replicas()[0].name

    assert page.value(buttons) == 0
    page.click("#operator button")
    page.fill("#user", "dba")
    page.fill("#password", "guessed")
    page.press("Enter", 13)
    page.wait("the refusal", "document.querySelector('#sign-in-error').textContent.includes('Wrong user or password')")
    assert page.value(buttons) == 0

    page.fill("#password", USERS["dba"])
    page.press("Enter", 13)
    page.wait("the buttons", f"{buttons} > 0")
    assert "dba" in page.text("#operator")

    press_state(page, replica, "drain")
    page.wait("the question", "document.querySelector('#confirm').open")
    page.click("#confirm-no")
    assert proxy.member(replica)["operator_state"] == "ready"
    press_state(page, replica, "drain")
    page.click("#confirm-yes")
    page.wait("it is drained", f"document.querySelector('#troubles').innerText.includes({json.dumps(replica)})")
    wait_until("no new sessions for it", lambda: replica not in proxy.open_for("read"), 20)
    assert proxy.member(replica)["operator_state"] == "drain"
    press_state(page, replica, "ready")
    wait_until("it is ready again", lambda: replica in proxy.open_for("read"), 20)

    page.click("button[aria-label='pause listener write']")
    page.click("#confirm-yes")
    wait_until("write is paused", lambda: proxy.status()["listeners"]["write"]["paused"], 20)
    page.click("button[aria-label='resume listener write']")
    wait_until("write goes on", lambda: not proxy.status()["listeners"]["write"]["paused"], 20)

    client = RawSession(proxy.host, proxy.write_port)
    page.click("button[aria-label='sessions of listener write']")
    page.click(".sessions button.danger")
    page.click("#confirm-yes")
    assert client.goodbye(limit=20) == "57P01"
    page.wait("it has gone", "!document.querySelector('.sessions button.danger')")

    # Nothing of it outlives the page.
    assert page.value("localStorage.length + sessionStorage.length + document.cookie.length") == 0
    page.open(url(proxy))
    page.wait("nobody is signed in", "(document.querySelector('#operator') || {}).innerText === 'Sign in'")
    assert [problem for problem in page.problems if "401" not in problem] == []


def test_the_page_of_a_proxy_that_answers_users_only(cluster, make_rolegate, browser):
    """With require_user: all the browser asks for the password; the page then works with what it was told."""
    proxy = make_rolegate([node.rest for node in cluster.nodes], admin={"users": USERS, "require_user": "all"})
    proxy.start()
    page = browser.page(url(proxy).replace("//", f"//dba:{USERS['dba']}@"))
    page.wait("it shows members and who operates",
              f"{ROWS} >= 3 && document.querySelector('#operator').innerText.includes('dba')", 30)
    assert page.problems == []


def press_state(page, member, state):
    page.click(f"button[aria-label='{state}: {member}']")


def test_no_answer_is_told_and_recovers(cluster, rolegate, browser):
    """When Rolegate is gone the page says since when, and shows it live again when it is back."""
    page = open_page(browser, rolegate)
    page.value("window.opened = 'once'")

    rolegate.kill()
    page.wait("the alarm", "!document.querySelector('#alarm').hidden && document.querySelector('#live').innerText === 'no answer'", 30)
    assert re.search(r"No answer from Rolegate for \d.* What you see is from \d\d:\d\d:\d\d", page.text("#alarm"))
    assert "no answer" in page.value("document.title")
    rolegate.start()

    page.wait("it is live", "document.querySelector('#alarm').hidden && document.querySelector('#live').innerText === 'live'", 60)
    assert page.value("window.opened") == "once"


def test_why_a_member_is_not_routable(cluster, rolegate, browser):
    """What explain says of a member is a key press away, and names the rule."""
    page = open_page(browser, rolegate)
    replica = cluster.replicas()[0].name
    fold = f"button[aria-label^='why: {replica}']"

    page.value(f"document.querySelector({json.dumps(fold)}).focus()")
    page.press("Enter", 13)

    page.wait("the evidence", "document.querySelector('.why code')")
    assert page.value("document.activeElement.getAttribute('aria-expanded')") == "true"
    shown = page.text(".why")
    assert rolegate.rules("write")[replica] in shown
    assert "REST API" in shown
    # A poll later it is still unfolded, and the focus where it was.
    page.value("known.answered = 0")
    page.wait("another answer", "known.answered > 0")
    assert page.value(f"document.activeElement === document.querySelector({json.dumps(fold)})")


def test_a_lagging_replica_is_named(cluster, make_rolegate, browser):
    """A replica that runs and is too far behind stands among the troubles, until it has caught up."""
    proxy = make_rolegate([node.rest for node in cluster.nodes],
                          read={"lag": {"leave": "2MB", "enter": "1MB"}, "lag_dwell": "1s"})
    proxy.start()
    proxy.wait_routable("read", [node.name for node in cluster.replicas()])
    page = open_page(browser, proxy)
    replica = cluster.replicas()[0]
    trouble = f"document.querySelector('#troubles').innerText.includes('Member {replica.name} gets no new sessions')"
    with replay_paused(cluster, replica):
        write_wal(cluster, 4)
        page.wait("it is named", trouble, 60)
    page.wait("it is well again", f"!{trouble}", 60)


def test_a_phone_does_not_scroll_sideways(cluster, rolegate, browser):
    """At 320 pixels everything is below each other, unfolded parts too, in the light and in the dark."""
    for dark in (False, True):
        page = open_page(browser, rolegate, width=320, height=640, mobile=True, dark=dark)
        page.click("#cluster-list .fold")
        page.wait("the evidence", "document.querySelector('.why')")
        assert is_too_wide(page) == ""
        ground = page.value("getComputedStyle(document.body).backgroundColor")
        brightness = sum(int(part) for part in re.findall(r"\d+", ground)[:3])
        assert (brightness < 200) == dark


def test_haproxys_columns(cluster, rolegate, browser):
    """Whoever comes from HAProxy's page finds its columns, with the numbers of /haproxy.csv, in one line on a wide screen."""
    client = RawSession(rolegate.host, rolegate.write_port)
    for width, tables in ((1280, 2), (1920, 1)):
        page = open_page(browser, rolegate, width=width)
        page.click("button[aria-label^='listener write in HAProxy']")
        page.wait("the columns", f"document.querySelectorAll('.haproxy').length === {tables}")
        page.wait("the session", f"({haproxy_cells('write', 'Backend')})['Sessions Cur'] === '1'")
        rows = {row["svname"]: row for row in csv.DictReader(io.StringIO(rolegate.get("/haproxy.csv").body[2:]))
                if row["pxname"] == "write"}
        leader = cluster.leader().name
        assert set(rows) == {"FRONTEND", "BACKEND", *(node.name for node in cluster.nodes)}
        shown = page.value(haproxy_cells("write", leader))
        assert list(shown)[1:] == [f"{group} {title}" for group, titles in HAPROXY_COLUMNS.items() for title in titles] + [
            f"Time, ms: mean / longest {title}" for title in ("Queue", "Connect", "Total")]
        assert shown["Sessions LbTot"] == rows[leader]["lbtot"] == "1"
        assert rows[leader]["status"] == "UP" and "UP, " in shown["Server Status"]
        assert shown["Server LastChk"].startswith("L7OK/200 in ")
        assert shown["Server Wght"] == "{weight}/{uweight}".format(**rows[leader]) and shown["Server Act"] == "Y"
        replica = page.value(haproxy_cells("write", cluster.replicas()[0].name))
        assert "DOWN" in replica["Server Status"] and replica["Server LastChk"].startswith("L7STS/503")
        assert cut_off(page) == [] and page.problems == []
    client.socket.close()


def haproxy_cells(listener, name):
    """JavaScript: the texts of a row of HAProxy's table by the names of their columns."""
    return f"""Object.fromEntries([...document.querySelectorAll('[aria-label="listener {listener}"] .haproxy tbody tr')]
        .filter(row => row.firstChild.innerText === {json.dumps(name)})
        .flatMap(row => [...row.children].map(cell => [cell.dataset.label, cell.innerText])))"""


def test_nothing_is_cut_off_or_faint(cluster, rolegate, browser):
    """All tables fit a screen of 1280 pixels with numbers that have grown for years; texts can be read in light and dark."""
    for dark in (False, True):
        page = open_page(browser, rolegate, dark=dark)
        page.value("""(() => { const grow = adopt; adopt = (status, ...others) => {
            for (const l of Object.values(status.body.listeners)) for (const t of [l, ...Object.values(l.traffic)])
                Object.assign(t, {sessions: 4321, sessions_max: 4999, sessions_total: t.sessions_total + 1.2e9, failed: 12345,
                    retries: 1234, bytes_in: t.bytes_in + 9e14, bytes_out: t.bytes_out + 9e15, last_change_ms: 9e9,
                    losses: 1234, downtime_ms: 9e9});
            grow(status, ...others); }; })()""")
        page.wait("large numbers", "document.querySelector('.traffic').innerText.includes('1.2 G')")
        assert cut_off(page) == []
        page.click("#cluster-list .fold")
        page.wait("the evidence", "document.querySelector('.why')")
        assert page.value(FAINT) == []


def test_what_is_drawn_of_an_event(cluster, rolegate, browser):
    """Each step says its milliseconds, and of sessions that were cut how many; only a late first client is cut off."""
    page = open_page(browser, rolegate)
    steps = [("writes_stopped", 0, None), ("sessions_cut", 3, "12"), ("lock_lost", 1124, "said by etcd3")]
    for late in ((), (("out_of_recovery", 1379, None), ("first_session", 91389, None))):
        event = {"id": 9, "cluster": "main", "kind": "lost", "from": "a", "to": None, "at": "2026-01-02T03:04:05.678Z",
                 "steps": [{"step": step, "member": "a", "ms": ms, "detail": detail} for step, ms, detail in (*steps, *late)]}
        shown = page.value(f"""(() => {{ known.events = {{events: [{json.dumps(event)}]}}; render(); const of = selector =>
            [...document.querySelectorAll('.event ' + selector)].map(e => e.innerText); return {{ms: of('.ms'),
            details: of('.detail'), cut: document.querySelectorAll('.run.cut').length}}; }})()""")
        assert shown["ms"] == ["0 ms", "3 ms", "1,124 ms"] + (["1,379 ms", "91,389 ms"] if late else [])
        assert shown["details"] == ["12 sessions cut", "said by etcd3"]
        assert shown["cut"] == (1 if late else 0)


def test_it_keeps_still_for_whoever_asks(cluster, rolegate, browser):
    """Where the reader wants no motion nothing moves; where there is an event it is drawn all the same."""
    for still, moving in ((False, True), (True, False)):
        page = open_page(browser, rolegate, still=still)
        page.wait("an event", "document.querySelector('.run')")
        assert (page.value("parseFloat(getComputedStyle(document.querySelector('.run')).transitionDuration)") > 0) == moving


def test_a_page_that_is_open_for_weeks(cluster, rolegate, browser):
    """Nothing it keeps grows with the answers and with what was opened once; another Rolegate behind it is told."""
    page = open_page(browser, rolegate)
    page.wait("an event", "document.querySelector('.event')")
    kept = "[document.querySelectorAll('*').length, samples.length, unfolded.size, Object.keys(known.leases).length," \
        " trends.get('write').length]"
    page.value("""(() => { known.leases.gone = 1;
        for (let i = 0; i < 2000; ++i) unfolded.add('member\\nmain\\ngone-' + i);
        toggle('events');
        samples = [];
        trends.clear();
        for (let i = 2000; i > 0; --i)
            for (const keep of [sample, follow]) keep(known.status, performance.now() - i * 1000); })()""")
    page.wait("little is kept", f"(([nodes, samples, open, leases, drawn]) => samples < 10 && open <= 500 && leases < 2 "
              f"&& drawn < 200)({kept})")
    before = page.value(kept)[0]
    page.value("for (let i = 0; i < 100; ++i) render()")
    assert page.value(kept)[0] == before

    assert page.value("document.querySelector('#renewed').hidden")
    page.value("known.version = 'former'")
    page.wait("it is told", "!document.querySelector('#renewed').hidden")
    page.click("#renewed a")
    page.wait("it is loaded again", "typeof known !== 'undefined' && known.version && known.version !== 'former'")


def test_texts_of_strangers_stay_texts(make_rolegate, browser):
    """Members with hostile names are shown by these names; nothing of them becomes part of the page."""
    with fake_patroni(HOSTILE) as address:
        proxy = make_rolegate([address])
        proxy.start(ready=False)
        for width in (1280, 320):
            page = browser.page(url(proxy), width=width, mobile=width < 500)
            page.wait("the members", f"{ROWS} >= {len(HOSTILE)}", 30)
            page.click("#cluster-list .fold")
            page.wait("the evidence", "document.querySelector('.why')")
            names = page.value("[...document.querySelectorAll('#cluster-list .name')].map(e => e.textContent)")
            # What turns the line would turn the words behind it.
            assert sorted(names) == sorted(name.replace("\u202e", "\ufffd") for name in HOSTILE)
            assert "\u202e" not in page.text()
            assert page.value("document.querySelectorAll('main img, main script').length") == 0
            assert page.value("window.owned") is None
            assert is_too_wide(page) == ""
            assert page.problems == []


def test_a_hundred_members_stay_readable(make_rolegate, browser):
    """Of many members those that matter are shown, all on demand, and any by a part of its name."""
    names = [f"pg-{number:03}" for number in range(100)]
    with fake_patroni(names) as address:
        proxy = make_rolegate([address])
        proxy.start(ready=False)
        page = browser.page(url(proxy), dark=True)
        page.wait("some of the members", f"{ROWS} === 10 && !document.querySelector('#find').hidden", 60)
        assert "pg-000" in page.text("#cluster-list .name")
        assert page.value("document.querySelectorAll('#troubles li').length") <= 7
        assert cut_off(page) == []

        page.click("#cluster-list .more button")
        page.wait("all of them", f"{ROWS} === {len(names)}")
        page.fill("#find-name", "PG-07")
        page.wait("ten of that name", f"{ROWS} === 10")
        assert page.value("[...document.querySelectorAll('#cluster-list .name')].map(e => e.textContent)") == names[70:80]
        assert page.problems == []

        phone = browser.page(url(proxy), width=320, mobile=True)
        phone.wait("some of the members", f"{ROWS} === 10", 30)
        assert is_too_wide(phone) == ""


@contextlib.contextmanager
def fake_patroni(names):
    """The REST API of a cluster whose members have these names."""
    port = ports.free_port()
    members = [{"name": name, "role": "replica", "state": "running", "api_url": f"http://127.0.0.1:{port}/patroni",
                "host": "127.0.0.1", "port": 1, "timeline": 1, "lag": 0} for name in names]
    members[0]["role"] = "leader"

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            body = {"members": members} if self.path == "/cluster" else {
                "state": "running", "role": "master", "server_version": 150000, "timeline": 1, "xlog": {"location": 1},
                "database_system_identifier": "7000000000000000001", "patroni": {"version": "3.0.2", "scope": "x"}}
            payload = json.dumps(body).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(payload)

        def log_message(self, *_):
            pass
    server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_the_page_says_what_may_run_in_it(cluster, rolegate, browser):
    """The policy on the wire names exactly the style and the script of the page; without scripts a sentence leads on."""
    with urllib.request.urlopen(url(rolegate), timeout=10 * TIMEOUT_SCALE) as answer:
        page, policy = answer.read().decode(), answer.headers["Content-Security-Policy"]
    directives = dict(part.strip().split(" ", 1) for part in policy.split(";"))
    for element in ("script", "style"):
        content, = re.findall(f"<{element}>(.*?)</{element}>", page, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert directives[f"{element}-src"] == f"'sha256-{digest}'"
    assert directives["default-src"] == directives["frame-ancestors"] == "'none'"
    assert len(page.encode()) < 150_000

    plain = browser.page(url(rolegate), javascript=False)
    plain.wait("the sentence", "document.body.innerText.includes('rolegate status')")
    assert plain.value("document.querySelector('noscript a').getAttribute('href')") == "/api"
