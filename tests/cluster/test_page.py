# SPDX-License-Identifier: PostgreSQL
"""The status page in a real browser: live, usable by an operator, on a phone, and no way in for strangers' texts."""

import base64
import contextlib
import hashlib
import http.server
import json
import re
import threading
import urllib.request

import pytest

from browser import Browser
from clients import RawSession
from demo import ports
from demo.processes import TIMEOUT_SCALE, wait_until

USERS = {"dba": "s3cret", "other": "x"}
TILE = "document.querySelector('#glance .tile')"
ROWS = "document.querySelectorAll('#cluster-list tbody tr').length"
# A picture that runs a script when it cannot be loaded, the end of an attribute, and letters that turn the line.
HOSTILE = ("<img src=x onerror=window.owned=1>", "\"><script>window.owned=1</script>",
           "\u202e" + "never-ending-" * 15)


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
    assert re.search(r"No answer from Rolegate since \d+ s", page.text("#alarm"))
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


def test_texts_of_strangers_stay_texts(make_rolegate, browser):
    """Members with hostile names are shown by these names; nothing of them becomes part of the page."""
    with hostile_patroni() as address:
        proxy = make_rolegate([address])
        proxy.start(ready=False)
        for width in (1280, 320):
            page = browser.page(url(proxy), width=width, mobile=width < 500)
            page.wait("the members", f"{ROWS} >= {len(HOSTILE)}", 30)
            page.click("#cluster-list .fold")
            page.wait("the evidence", "document.querySelector('.why')")
            names = page.value("[...document.querySelectorAll('#cluster-list .name')].map(e => e.textContent)")
            assert sorted(names) == sorted(HOSTILE)
            assert page.value("document.querySelectorAll('main img, main script').length") == 0
            assert page.value("window.owned") is None
            assert is_too_wide(page) == ""
            assert page.problems == []


@contextlib.contextmanager
def hostile_patroni():
    """The REST API of a cluster whose members have such names."""
    port = ports.free_port()
    members = [{"name": name, "role": "replica", "state": "running", "api_url": f"http://127.0.0.1:{port}/patroni",
                "host": "127.0.0.1", "port": 1, "timeline": 1, "lag": 0} for name in HOSTILE]
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
