"""A real browser, Chromium without a window, driven over its debugging protocol: pages are opened,
scripts run in them, and what a script promises is waited for. So nothing depends on time."""

import itertools
import json
import os
import shutil
import subprocess
import tempfile

import websocket

from lib.waiting import DEADLINE, wait_until

OPTIONS = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
           "--disable-background-networking", "--disable-extensions", "--no-first-run",
           "--remote-debugging-port=0", "--remote-allow-origins=*"]


class Page:
    """One tab, in a session of its own: it shares nothing with the others."""

    def __init__(self, browser, url):
        self.browser = browser
        context = browser.call("Target.createBrowserContext")["browserContextId"]
        target = browser.call("Target.createTarget", url="about:blank", browserContextId=context)
        self.session = browser.call("Target.attachToTarget", targetId=target["targetId"],
                                    flatten=True)["sessionId"]
        browser.call("Page.enable", self.session)
        browser.call("Page.navigate", self.session, url=url)
        browser.wait_event("Page.loadEventFired", self.session)

    def run(self, script):
        """The value of an expression; of a promise, what it is kept with."""
        done = self.browser.call("Runtime.evaluate", self.session, expression=script,
                                 awaitPromise=True, returnByValue=True)
        fault = done.get("exceptionDetails")
        assert fault is None, f"{script}: {fault}"
        return done["result"].get("value")


class Browser:
    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="m2-browser-", dir="/tmp")
        self.log = open(os.path.join(self.folder, "log"), "wb")
        self.process = subprocess.Popen(
            ["chromium", *OPTIONS, f"--user-data-dir={self.folder}", "about:blank"],
            stdout=self.log, stderr=self.log, start_new_session=True,
            env={**os.environ, "HOME": self.folder})
        self.numbers = itertools.count(1)
        self.events = []  # (session, method) of what has happened and nobody waited for
        path = os.path.join(self.folder, "DevToolsActivePort")

        def address():
            assert self.process.poll() is None, "Chromium ended: " + self.said()
            try:
                with open(path, encoding="ascii") as file:
                    words = file.read().split()
                return words if len(words) == 2 else None
            except FileNotFoundError:
                return None
        try:
            port, at = wait_until(address, "the debugging port of Chromium", 3 * DEADLINE)
            self.link = websocket.create_connection(f"ws://127.0.0.1:{port}{at}",
                                                    timeout=2 * DEADLINE)
        except BaseException:
            self.close()
            raise

    def said(self):
        with open(self.log.name, "rb") as file:
            return file.read()[-4000:].decode("utf-8", "replace")

    def call(self, method, session=None, **parameters):
        number = next(self.numbers)
        message = {"id": number, "method": method, "params": parameters}
        if session is not None:
            message["sessionId"] = session
        self.link.send(json.dumps(message))
        while True:
            answer = self.next()
            if answer.get("id") == number:
                assert "error" not in answer, f"{method}: {answer['error']}"
                return answer["result"]

    def next(self):
        message = json.loads(self.link.recv())
        if "method" in message:
            self.events.append((message.get("sessionId"), message["method"]))
        return message

    def wait_event(self, method, session):
        while (session, method) not in self.events:
            self.next()
        self.events = [event for event in self.events if event[0] != session]

    def open(self, url):
        return Page(self, url)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.process.terminate()
        try:
            self.process.wait(DEADLINE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(DEADLINE)
        self.log.close()
        shutil.rmtree(self.folder, ignore_errors=True)
