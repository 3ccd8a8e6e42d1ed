"""The demonstrations of docs/examples, run as a reader would: from the command line, with the real
server, and the chat in a real browser."""

import base64
import hashlib
import json
import os
import re
import subprocess

import pytest

from lib.browser import Browser
from lib.client import Client
from lib.deployment import TOP, Deployment, dir_, handler
from lib.server import Server
from lib.waiting import DEADLINE, wait_until

EXAMPLES = os.path.join(TOP, "docs", "examples")


class Demo:
    """A site with one of them."""

    def __init__(self, deployment, name, routes, *arguments, settings=None):
        self.deployment = deployment
        deployment.configure(routes, settings={"handler.wait_ms": 30000, **(settings or {})})
        self.server = Server(deployment, workers=2)
        self.process = subprocess.Popen(
            ["/usr/bin/python3", os.path.join(EXAMPLES, name),
             deployment.endpoint("ipc://run/h-q"), deployment.endpoint("ipc://run/h-r"),
             *arguments], stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.path.join(TOP, "scripts")})

    def __enter__(self):
        return self

    def __exit__(self, *_):
        assert self.process.poll() is None, "the example has ended"
        self.process.kill()
        self.process.communicate()


class JsonSocket(Client):
    def say(self, route, data):
        return self.send(f"{route} {json.dumps(data)}\0")

    def heard(self):
        return json.loads(base64.b64decode(self.take_until(b"\0")))


@pytest.fixture(scope="module")
def browser():
    with Browser() as made:
        yield made


@pytest.fixture(scope="module")
def chat():
    room = handler(websocket="messages")
    with Deployment() as deployment:
        with open(os.path.join(EXAMPLES, "chat.html"), "rb") as page:
            deployment.write("www/chat.html", page.read())
        with Demo(deployment, "chat.py", {"/": dir_(), "/room": room, "@chat": room}) as demo:
            yield demo


# Goal: what a handler is told is on the page, escaped; the field for it makes an empty one; the end
# of a client is seen.
def test_dump(deployment):
    with Demo(deployment, "dump.py", {"/": handler()}) as demo, demo.server.client() as client:
        page = client.request("POST", "/a?x=1", body=b"<&>", headers={"Q": "1"}).body.decode()
        ident = re.search(r"IDENT: (\d+)\n", page).group(1)
        assert "PATH: /a\n" in page and "&lt;&amp;&gt;" in page and "x=1" in page
        assert client.request(headers={"KillMe": "now"}).body == b""
        client.close()
        assert demo.process.stdout.readline() == f"{ident} has gone\n".encode()


# Goal: small bodies and large ones, with the digest of what arrived; nothing stays in the store.
def test_upload(deployment):
    settings = {"limits.content_length": 1000, "upload.temp_store": "/tmp/body.XXXXXX"}
    body = os.urandom(300_000)
    with Demo(deployment, "upload.py", {"/": handler()}, deployment.folder,
              settings=settings) as demo, demo.server.client() as client:
        answer = client.request("POST", "/up", body=body).body
        assert answer == f"UPLOAD GOOD: {hashlib.md5(body).hexdigest()}\n".encode()
        answer = client.request("POST", "/up", body=b"little").body
        assert answer == f"INLINE: {hashlib.md5(b'little').hexdigest()}\n".encode()
        assert os.listdir(deployment.path("tmp")) == []


# Goal: a real player hears the radio and shows the station and the song. Method: ffmpeg listens for
# two seconds of music, which come faster than in life.
def test_radio(deployment, tmp_path):
    song = str(tmp_path / "A song of handlers.mp3")
    player = ["ffmpeg", "-nostdin", "-loglevel", "info"]
    subprocess.run([*player, "-f", "lavfi", "-i", "sine=frequency=440:duration=6",
                    "-write_xing", "0", "-id3v2_version", "0", song],
                   check=True, capture_output=True, timeout=DEADLINE)
    with Demo(deployment, "radio.py", {"/radio": handler()}, "160000", song):
        listeners = [subprocess.Popen(
            [*player, "-i", f"http://127.0.0.1:{deployment.port}/radio", "-t", "2", "-f", "null",
             "-"], stderr=subprocess.PIPE) for _ in range(2)]
        for listener in listeners:
            said = listener.communicate(timeout=DEADLINE)[1].decode("utf-8", "replace")
            assert listener.returncode == 0, said
            assert "Mongrel2 Radio" in said and "A song of handlers" in said


# Goal: two terminals share the board; each has a conversation of its own.
def test_bbs(deployment):
    with Demo(deployment, "bbs.py", {"@bbs": handler()}), \
            JsonSocket(deployment.port) as ada, JsonSocket(deployment.port) as bob:
        for user in (ada, bob):
            user.say("@bbs", {"type": "connect"})
            assert [user.heard()["type"], user.heard()["type"]] == ["screen", "prompt"]

        def line(user, text, replies):
            user.say("@bbs", {"type": "msg", "msg": text})
            return [user.heard()["msg"] for _ in range(replies)]
        line(ada, "Ada", 1)
        line(bob, "Bob", 1)
        line(ada, "p", 1)
        assert line(bob, "r", 2)[0] == "Nobody has written anything."
        ada.say("@bbs", {"type": "msg", "msg": "Hello,"}).say("@bbs", {"type": "msg", "msg": "all"})
        assert line(ada, ".", 2)[0] == "Posted."
        assert line(bob, "r", 2)[0] == "Ada: Hello,\n  all"
        assert line(bob, "q", 1) == ["Come back."]
        assert bob.is_closed()


# Goal: two people in two windows of a real browser, one at a JSON socket and one with long polls
# meet in the same room; each sees who is there, what is said, and who goes.
def test_chat(chat, browser):
    page = f"http://127.0.0.1:{chat.deployment.port}/chat.html"

    def join(name, others):
        made = browser.open(page)
        made.run(f"$('user').value = '{name}'; $('join').requestSubmit(); 0")
        made.run(shows("users", ", ".join([*others, name])))
        return made

    def shows(place, text):
        """A promise that is kept when the text is there, at once or by what comes."""
        return f"""new Promise(done => {{
            const look = () => $('{place}').textContent.includes({json.dumps(text)}) && done();
            new MutationObserver(look).observe($('{place}'), {{childList: true, subtree: true}});
            look(); }})"""

    def say(who, text):
        who.run(f"$('msg').value = {json.dumps(text)}; $('say').requestSubmit(); 0")

    ada = join("Ada", [])
    bob = join("Bob", ["Ada"])
    ada.run(shows("users", "Ada, Bob"))
    with JsonSocket(chat.deployment.port) as eve, chat.server.client() as poll:
        eve.say("@chat", {"type": "join", "user": "Eve"})
        assert eve.heard() == {"type": "users", "users": ["Ada", "Bob"]}
        assert eve.heard() == {"type": "join", "user": "Eve"}
        said = json.loads(poll.request(path="/room").body)
        assert [each["user"] for each in said["said"]] == ["Ada", "Bob", "Eve"]
        poll.send_request(path=f"/room?after={said['next']}")
        say(ada, "Grüß <Gott>, ü")
        bob.run(shows("said", "Ada: Grüß <Gott>, ü"))
        assert eve.heard() == {"type": "msg", "user": "Ada", "msg": "Grüß <Gott>, ü"}
        assert json.loads(poll.answer().body)["said"][0]["msg"] == "Grüß <Gott>, ü"
        eve.say("@chat", {"type": "msg", "msg": "from a socket"})
        for each in (ada, bob):
            each.run(shows("said", "Eve: from a socket"))
        with chat.server.client() as other:
            said = json.dumps({"user": "Ian", "msg": "by POST"}).encode()
            assert other.request("POST", "/room", body=said).status == 200
        for each in (ada, bob):
            each.run(shows("said", "Ian: by POST"))
    ada.run(shows("said", "Eve has gone"))
    bob.run("socket.close(); 0")
    ada.run(shows("said", "Bob has gone"))
    wait_until(lambda: ada.run("$('users').textContent") == "Ada", "Ada alone")
