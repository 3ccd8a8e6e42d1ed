"""WebSockets and long polls as a real browser has them: Chromium against both contracts."""

import pytest

from lib.browser import Browser
from lib.deployment import Deployment, dir_, handler
from lib.handler import Answering, Handler, http
from lib.server import Server
from lib.websocket_site import Echo

# What the tests' pages share: open() and next() as promises.
HELPERS = """
const open = (path) => new Promise((done, failed) => {
  const socket = new WebSocket(`${location.origin.replace('http', 'ws')}${path}`);
  socket.binaryType = 'arraybuffer';
  socket.onopen = () => done(socket);
  socket.onerror = () => failed(new Error('no WebSocket'));
});
const next = (socket) => new Promise((done) => { socket.onmessage = (event) => done(event.data); });
const closed = (socket) => new Promise((done) => {
  socket.onclose = (event) => done([event.code, event.reason, event.wasClean]);
});
"""

ECHO = """(async () => {
  const socket = await open('/ws');
  const wrong = [];
  for (const size of [1, 125, 126, 65535, 65536, 1000000]) {
    let echo = next(socket);
    socket.send('\\u00fc'.repeat(size / 2 + 1));
    if (await echo !== '\\u00fc'.repeat(size / 2 + 1)) wrong.push(`text of ${size}`);
    const bytes = Uint8Array.from({length: size}, (_, at) => at * 7 + size);
    echo = next(socket);
    socket.send(bytes);
    const back = new Uint8Array(await echo);
    if (back.length !== size || back.some((value, at) => value !== bytes[at])) {
      wrong.push(`${size} bytes`);
    }
  }
  let count = 0;
  const all = new Promise((done) => {
    socket.onmessage = (event) => {
      if (event.data !== `message ${count}`) wrong.push(event.data);
      if (++count === 200) done();
    };
  });
  for (let number = 0; number < 200; ++number) socket.send(`message ${number}`);
  await all;
  const end = closed(socket);
  socket.close(4001, 'enough');
  return {wrong, extensions: socket.extensions, end: await end};
})()"""


@pytest.fixture(scope="module")
def browser():
    with Browser() as made:
        yield made


def page(browser, deployment):
    made = browser.open(f"http://127.0.0.1:{deployment.port}/index.html")
    made.run(HELPERS + "0")
    return made


# Goal: the browser gets back what it sends, texts and bytes of all lengths of a frame's head, many
# in a row in order, compressed where the server does that, and its close code.
@pytest.mark.parametrize("contract", ["messages", "frames"])
def test_echo(browser, workers, contract):
    with Deployment() as deployment:
        deployment.configure({"/": dir_(), "/ws": handler(websocket=contract)}, settings={
            "websocket.deflate": 1, "websocket.message_bytes": 2 << 20})
        Server(deployment, workers=workers)
        with Echo(deployment, contract):
            seen = page(browser, deployment).run(ECHO)
    assert seen["wrong"] == []
    assert ("permessage-deflate" in seen["extensions"]) == (contract == "messages")
    code, _, clean = seen["end"]
    assert (code, clean) == (4001, True)


# Goal: a page learns why its WebSocket ends: 1012 when a reload removes the route, 1001 when the
# server stops, and the code of a handler that does not want it.
def test_ends(browser, deployment, workers):
    deployment.configure({"/": dir_(), "/ws": handler(websocket="messages")})
    with Server(deployment, workers=workers) as server, Handler(deployment) as on:
        def opened():
            made = page(browser, deployment)
            made.run("open('/ws').then((socket) => { window.end = closed(socket); })")
            request = on.recv_request()
            assert request.headers["EVENT"] == "open"
            return made, request

        made, request = opened()
        on.send_extended(request.id, b"38:9:websocket,22:5:close,10:4003 go on,}]")
        assert made.run("end") == [4003, "go on", True]
        made, _ = opened()
        deployment.configure({"/": dir_()})
        server.reload()
        assert made.run("end") == [1012, "the configuration changed", True]
        deployment.configure({"/": dir_(), "/ws": handler(websocket="messages")})
        server.reload()
        made, _ = opened()
        server.stop()
        code, _, clean = made.run("end")
        assert (code, clean) == (1001, True)


# Goal: JSON by long poll, with fetch(): three polls wait at once for one message to all of them, a
# fourth one is given up by the page, which the handler hears of.
def test_long_polls(browser, deployment, workers):
    deployment.configure({"/": dir_(), "/poll": handler()})
    with Server(deployment, workers=workers), Handler(deployment) as on:
        made = page(browser, deployment)
        made.run("""window.polls = [1, 2, 3].map((number) =>
            fetch(`/poll/${number}`).then((answer) => answer.json())); 0""")
        held = {on.recv().id for _ in range(3)}
        made.run("window.stop = new AbortController(); "
                 "fetch('/poll/4', {signal: stop.signal}).catch(() => 0); 0")
        given_up = on.recv().id
        on.send(sorted(held), http('{"news": "\\u00fc"}', headers={
            "Content-Type": "application/json"}))
        assert made.run("Promise.all(polls)") == 3 * [{"news": "\u00fc"}]
        made.run("stop.abort(); 0")
        while True:
            notice = on.recv()
            assert notice.is_disconnect()
            if notice.id == given_up:
                break


# Goal: a stream in chunks reaches the page as it comes. Method: the next piece is sent only when
# the page has said that it has the one before.
def test_stream(browser, deployment):
    deployment.configure({"/": dir_(), "/stream": handler(), "/got": handler("g")})
    with Server(deployment, workers=1), Handler(deployment) as on, \
            Answering(deployment, name="g") as said:
        made = page(browser, deployment)
        made.run("""window.all = fetch('/stream').then(async (answer) => {
            const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
            let text = '';
            for (;;) {
              const {done, value} = await reader.read();
              if (done) return text;
              text += value;
              await fetch(`/got/${text.length}`);
            }}); 0""")
        stream = on.recv().id
        on.send(stream, b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
                b"Transfer-Encoding: chunked\r\n\r\n")
        for number in range(1, 6):
            on.send(stream, b"4\r\n<%02d>\r\n" % number)
            said.wait_for(f"/got/{4 * number}")
        on.send(stream, b"0\r\n\r\n")
        assert made.run("all") == "<01><02><03><04><05>"
