"""When one worker becomes several, or several one, the handlers' endpoints change hands: nothing
that is under way is lost for it, whoever has them. Handlers have PUB sockets, which drop what they
say while they are not connected."""

import os

import pytest

from lib.deployment import dir_, handler
from lib.handler import Handler
from lib.server import Server

BODY = os.urandom(100_000)
PATIENT = {"upgrade.handlers_ms": 60_000, "handler.wait_ms": 60_000}
HASTY = {"upgrade.handlers_ms": 100, "handler.wait_ms": 60_000}
GIVEN = "gives the endpoints of handlers to the worker that stays"


def configure(deployment, workers, settings, **more):
    deployment.configure({"/": dir_(), "/h": handler()},
                         settings={"workers": workers, **settings, **more})


def change(deployment, server, workers):
    deployment.sql(f"UPDATE setting SET value = '{workers}' WHERE key = 'workers'")
    assert "refused" not in server.reload(), server.log()


def has_request(on, seconds):
    """Within this time without any other message."""
    while on.has_message(seconds):
        if not on.recv().is_disconnect():
            return True
    return False


def stays(request):
    """It is of the worker in slot 0."""
    return int(request.id) >> 47 == 0


def on_each_worker(server, on, begin):
    """[(client, request)]: the one of the worker that stays first."""
    found = []
    for worker in server.workers():
        client, = server.clients_of(worker, 1)
        begin(client)
        found.append((client, on.recv_request()))
    return sorted(found, key=lambda pair: not stays(pair[1]))


def ask(client):
    client.send_request(path="/h")


def answer(on, client, request):
    on.reply(request, request.id)
    assert client.answer().body == request.id.encode()


def begin_upload(client):
    client.send(f"POST /h/up HTTP/1.1\r\nHost: a\r\nContent-Length: {len(BODY)}\r\n\r\n")
    client.send(BODY[:50_000])


def finish_upload(deployment, on, client, first):
    client.send(BODY[50_000:])
    if "x-mongrel2-upload-start" in first.headers:
        second = on.recv_request()
        assert second.id == first.id
        assert deployment.read(second.headers["x-mongrel2-upload-done"]) == BODY
    else:
        value = b"7:credits,6:100000#"
        value = b"3:ctl,%d:%s}" % (len(value), value)
        on.send_extended(first.id, b"%d:%s]" % (len(value), value))
        got, last = first.body, False
        while not last:
            piece = on.recv_request()
            got, last = got + piece.body, "UPLOAD_STREAM_DONE" in piece.headers
        assert got == BODY
    answer(on, client, first)


def store(kind):
    return {"upload.temp_store": "tmp/body.XXXXXX", "upload.stream": int(kind == "stream"),
            "limits.content_length": 20480}


def works(server, on):
    client = server.client()
    ask(client)
    answer(on, client, on.recv_request())


# Goal: uploads of a worker that retires end as if nothing had happened, and so do those of the one
# that stays, when its handlers have moved. Method: requests are answered meanwhile, longer than
# handlers may ever stay at a place that was left.
@pytest.mark.parametrize("kind", ["disk", "stream"])
def test_uploads_into_one_worker(deployment, kind):
    configure(deployment, 2, HASTY, **store(kind))
    with Server(deployment) as server, Handler(deployment) as on:
        works(server, on)
        of_zero, of_one = on_each_worker(server, on, begin_upload)
        change(deployment, server, 1)
        for _ in range(20):
            works(server, on)
        assert GIVEN not in server.log()
        finish_upload(deployment, on, *of_one)
        server.says(GIVEN)
        works(server, on)
        finish_upload(deployment, on, *of_zero)


@pytest.mark.parametrize("kind", ["disk", "stream"])
def test_uploads_into_several_workers(deployment, kind):
    configure(deployment, 1, HASTY, **store(kind))
    with Server(deployment) as server, Handler(deployment) as on:
        client = server.client()
        begin_upload(client)
        first = on.recv_request()
        change(deployment, server, 2)
        works(server, on)
        finish_upload(deployment, on, client, first)


# Goal: handlers are let go when they have answered what they had, and not before. Method: what is
# new does not reach them until the last answer is out, then at once.
def test_owed_into_several_workers(deployment):
    configure(deployment, 1, PATIENT)
    with Server(deployment) as server, Handler(deployment) as on:
        held = []
        for _ in range(3):
            client = server.client()
            ask(client)
            held.append((client, on.recv_request()))
        change(deployment, server, 2)
        later = server.client()
        ask(later)
        for client, request in held:
            assert not has_request(on, 0.4)
            answer(on, client, request)
        answer(on, later, on.recv_request())


def test_owed_into_one_worker(deployment):
    configure(deployment, 2, PATIENT)
    with Server(deployment) as server, Handler(deployment) as on:
        works(server, on)
        of_zero, of_one = on_each_worker(server, on, ask)
        change(deployment, server, 1)
        works(server, on)  # handlers stay with the relay for the worker that retires
        answer(on, *of_one)
        server.says(GIVEN)
        later = server.client()
        ask(later)
        assert not has_request(on, 0.8)
        answer(on, *of_zero)
        answer(on, later, on.recv_request())


# Goal: who holds a request for longer than handlers may stay answers it from where they are then.
@pytest.mark.parametrize("before, after", [(1, 2), (2, 1)])
def test_held_for_longer(deployment, before, after):
    configure(deployment, before, HASTY)
    with Server(deployment) as server, Handler(deployment) as on:
        works(server, on)
        held = on_each_worker(server, on, ask)
        change(deployment, server, after)
        if after == 1:
            answer(on, *held.pop())
            server.says(GIVEN)
        works(server, on)
        answer(on, *held.pop())


# Goal: there and back again while handlers have not gone yet: everybody finds them in the end.
def test_there_and_back(deployment):
    configure(deployment, 1, {"handler.wait_ms": 60_000})
    with Server(deployment) as server, Handler(deployment) as on:
        client = server.client()
        ask(client)
        request = on.recv_request()
        for workers in (2, 1, 2, 3, 1):
            change(deployment, server, workers)
        works(server, on)
        answer(on, client, request)
