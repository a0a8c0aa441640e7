"""Chromium as a reader of pages: started by chromedriver, spoken to by the WebDriver protocol, with what the page asked for and said."""
import base64
import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile

import requests

from .node import until

KEYS = {"tab": "\ue004", "enter": "\ue007", "escape": "\ue00c", "up": "\ue013", "down": "\ue015", "home": "\ue011", "end": "\ue010"}
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"


class Browser:
    """with Browser() as b: b.open(url); b.js("return document.title")"""

    def __init__(self, width=1280, height=900):
        self.width, self.height, self.session, self.hung = width, height, None, ""

    def __enter__(self):
        self.folder = tempfile.mkdtemp(prefix="candor-browser-")
        self.log = open(os.path.join(self.folder, "log"), "w+", encoding="utf8")
        self.driver = subprocess.Popen(["chromedriver", "--port=0"], stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log,
                                       env={**os.environ, "HOME": self.folder, "TMPDIR": self.folder}, start_new_session=True)
        try:
            self.base = "http://127.0.0.1:%s/session" % until("chromedriver listens", self._port)
            options = {"args": ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking",
                                "--no-first-run", "--disable-component-update", "--hide-scrollbars", "--force-color-profile=srgb",
                                "--user-data-dir=" + os.path.join(self.folder, "profile"),
                                "--window-size=%d,%d" % (self.width, self.height)]}
            made = requests.post(self.base, timeout=60, json={"capabilities": {"alwaysMatch": {
                "browserName": "chrome", "pageLoadStrategy": "none", "goog:chromeOptions": options,
                "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"}}}}).json()["value"]
            assert "sessionId" in made, made
            self.session = self.base + "/" + made["sessionId"]
        except BaseException:
            self.__exit__()
            raise
        return self

    def _port(self):
        assert self.driver.poll() is None, "chromedriver ended"
        with open(self.log.name, encoding="utf8") as f:
            found = re.search(r"started successfully on port (\d+)", f.read())
        return found and found.group(1)

    def __exit__(self, *exc):
        if self.session and not self.hung:
            with contextlib.suppress(requests.RequestException):
                requests.delete(self.session, timeout=15)
        self.driver.terminate()
        try:
            self.driver.wait(10)
        except subprocess.TimeoutExpired:
            self.driver.kill()
            self.driver.wait()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.driver.pid, signal.SIGKILL)  # Chromium, should it still be there
        self.log.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def call(self, path, **body):
        """A command of the protocol. A browser that hangs is not asked again: no wait is worth it, nothing comes back."""
        if self.hung:
            raise RuntimeError("the browser hangs, since " + self.hung)
        try:
            r = requests.post(self.session + path, json=body, timeout=30)
        except requests.Timeout:
            self.hung = path + " " + str(body)[:200]
            raise RuntimeError("the browser hangs: " + self.hung) from None
        value = r.json()["value"]
        assert r.status_code == 200, "%s: %s" % (path, value)
        return value

    def cdp(self, what, **params):
        return self.call("/goog/cdp/execute", cmd=what, params=params)

    def js(self, script, *args):
        return self.call("/execute/sync", script=script, args=list(args))

    def open(self, url):
        """Goes there, and waits until it is there; nothing later waits for a page that is on its way."""
        self.call("/url", url=url)
        until(url + " is there", lambda: self.js("return location.href === arguments[0] && document.readyState === 'complete'", url))

    def text(self, selector):
        """What an element says; LookupError when there is none."""
        found = self.js("const e = document.querySelector(arguments[0]); return e && e.textContent", selector)
        if found is None:
            raise LookupError(selector)
        return found

    def style(self, selector, name):
        return self.js("return getComputedStyle(document.querySelector(arguments[0]))[arguments[1]]", selector, name)

    def press(self, *keys):
        actions = [{"type": kind, "value": KEYS.get(k, k)} for k in keys for kind in ("keyDown", "keyUp")]
        self.call("/actions", actions=[{"type": "key", "id": "keyboard", "actions": actions}])

    def size(self, width, height=900):
        self.cdp("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600)

    def dark(self, on=True):
        self.cdp("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark" if on else "light"}])

    def script(self, on):
        self.cdp("Emulation.setScriptExecutionDisabled", value=not on)

    def shot(self, path, whole=True):
        with open(path, "wb") as f:
            f.write(base64.b64decode(self.cdp("Page.captureScreenshot", captureBeyondViewport=whole)["data"]))

    def said(self):
        """What stands on the console since last asked."""
        return [e["message"] for e in self.call("/se/log", type="browser") if e["level"] in ("SEVERE", "WARNING")]

    def requested(self):
        """Requests since last asked: (url, octets of the body, octets of it on the way) of each."""
        urls, sizes, packed = {}, {}, {}
        for entry in self.call("/se/log", type="performance"):
            m = json.loads(entry["message"])["message"]
            p = m["params"]
            if m["method"] == "Network.requestWillBeSent":
                urls[p["requestId"]] = p["request"]["url"]
            elif m["method"] == "Network.dataReceived":
                sizes[p["requestId"]] = sizes.get(p["requestId"], 0) + p["dataLength"]
                packed[p["requestId"]] = packed.get(p["requestId"], 0) + p["encodedDataLength"]
        return [(u, sizes.get(i, 0), packed.get(i, 0)) for i, u in urls.items()]
