# SPDX-License-Identifier: PostgreSQL
"""A real browser, headless, driven over the DevTools protocol: JSON messages that end with NUL on two pipes."""

import base64
import fcntl
import json
import os
import shutil
import signal
import subprocess
import threading

from demo.processes import TIMEOUT_SCALE, Timeout, wait_until

FLAGS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--disable-sync",
         "--disable-background-networking", "--disable-component-update", "--disable-extensions", "--disable-breakpad",
         "--no-proxy-server", "--hide-scrollbars", "--remote-debugging-pipe")


def is_installed():
    return shutil.which("chromium") is not None


def fixed(descriptor):
    """The same one beyond 3 and 4, which the browser reads from and writes to."""
    moved = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, 10)
    os.close(descriptor)
    return moved


class Browser:
    def __init__(self, directory):
        their_in, our_out = (fixed(end) for end in os.pipe())
        our_in, their_out = (fixed(end) for end in os.pipe())

        def on_their_numbers():
            os.dup2(their_in, 3)
            os.dup2(their_out, 4)
        with open(f"{directory}/chromium.log", "ab") as log:
            self._process = subprocess.Popen(
                ["chromium", *FLAGS, f"--user-data-dir={directory}/chromium", "about:blank"], stdin=subprocess.DEVNULL,
                stdout=log, stderr=log, close_fds=False, preexec_fn=on_their_numbers, start_new_session=True,
                env={"PATH": "/usr/bin:/bin", "HOME": directory, "LANG": "C.UTF-8", "TZ": "UTC"})
        os.close(their_in)
        os.close(their_out)
        self._out = os.fdopen(our_out, "wb", buffering=0)
        self._in = os.fdopen(our_in, "rb", buffering=0)
        self._changed = threading.Condition()
        self._answers = {}
        self._last_id = 0
        self._pages = {}
        self._ended = False
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        rest = b""
        while chunk := self._in.read(65536):
            *messages, rest = (rest + chunk).split(b"\0")
            for message in map(json.loads, messages):
                with self._changed:
                    if "id" in message:
                        self._answers[message["id"]] = message
                    elif page := self._pages.get(message.get("sessionId")):
                        page.on_event(message["method"], message["params"])
                    self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def send(self, method, session=None, **parameters):
        with self._changed:
            self._last_id += 1
            number = self._last_id
            message = {"id": number, "method": method, "params": parameters} | ({"sessionId": session} if session else {})
            self._out.write(json.dumps(message).encode() + b"\0")
            if not self._changed.wait_for(lambda: number in self._answers or self._ended, 60 * TIMEOUT_SCALE):
                raise Timeout(f"the browser does not answer {method}")
            answer = self._answers.pop(number, {"error": "the browser has ended"})
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']}")
        return answer["result"]

    def page(self, url, width=1280, height=900, **more):
        page = Page(self, width, height, **more)
        page.open(url)
        return page

    def adopt(self, page):
        self._pages[page.session] = page

    def stop(self):
        # Its helpers are in its group; it has written nothing that anybody wants.
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self._process.wait()
        self._reader.join(10)
        self._in.close()
        self._out.close()


class Page:
    """One tab, with what went wrong in it: exceptions, and what the policy of the page has stopped."""

    def __init__(self, browser, width, height, dark=False, mobile=False, still=False, javascript=True):
        self._browser = browser
        self.problems = []
        target = browser.send("Target.createTarget", url="about:blank")["targetId"]
        self.session = browser.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        browser.adopt(self)
        for domain in ("Page", "Runtime", "Log"):
            self.send(f"{domain}.enable")
        self.send("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=mobile)
        self.send("Emulation.setEmulatedMedia",
                  features=[{"name": "prefers-color-scheme", "value": "dark" if dark else "light"},
                            {"name": "prefers-reduced-motion", "value": "reduce" if still else "no-preference"}])
        self.send("Emulation.setScriptExecutionDisabled", value=not javascript)

    def send(self, method, **parameters):
        return self._browser.send(method, self.session, **parameters)

    def on_event(self, method, parameters):
        if method == "Runtime.exceptionThrown":
            details = parameters["exceptionDetails"]
            self.problems.append(details.get("exception", {}).get("description") or details["text"])
        elif method == "Log.entryAdded" and parameters["entry"]["source"] in ("security", "javascript", "violation"):
            self.problems.append(parameters["entry"]["text"])

    def open(self, url):
        self.send("Page.navigate", url=url)

    def value(self, expression):
        """Of a JavaScript expression."""
        answer = self.send("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(f"{expression}: {answer['exceptionDetails']}")
        return answer["result"].get("value")

    def wait(self, what, expression, limit=20):
        """Until the expression is true; the value."""
        def look():
            try:
                return self.value(expression)
            except RuntimeError:  # the page is being loaded
                return None
        try:
            return wait_until(f"the page: {what}", look, limit, every=0.1)
        except Timeout as error:
            raise Timeout(f"{error}; problems {self.problems}; it shows:\n{self.text()}") from None

    def text(self, selector="body"):
        return self.value(f"(document.querySelector({json.dumps(selector)}) || {{}}).innerText || ''")

    def click(self, selector):
        """As a mouse does: in the middle of it, where something else may lie above."""
        box, before = self._middle(selector), None
        while box != before:  # what was opened a moment ago moves what is below it
            box, before = self._middle(selector), box
        for kind in ("mousePressed", "mouseReleased"):
            self.send("Input.dispatchMouseEvent", type=kind, x=box[0], y=box[1], button="left", clickCount=1)

    def _middle(self, selector):
        return self.wait(f"{selector} can be clicked", f"""(() => {{
            const found = document.querySelector({json.dumps(selector)});
            if (!found || found.disabled) return null;
            found.scrollIntoView({{block: "center"}});
            const box = found.getBoundingClientRect();
            return box.width ? [box.x + box.width / 2, box.y + box.height / 2] : null; }})()""")

    def fill(self, selector, text):
        self.value(f"(e => {{ e.focus(); e.select(); }})(document.querySelector({json.dumps(selector)}))")
        self.send("Input.insertText", text=text)

    def press(self, key, code):
        for kind in ("keyDown", "keyUp"):
            self.send("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code,
                      **({"text": "\r"} if key == "Enter" else {}))

    def screenshot(self, path, whole=False):
        shot = self.send("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        with open(path, "wb") as file:
            file.write(base64.b64decode(shot["data"]))
