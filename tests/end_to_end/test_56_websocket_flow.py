"""WebSockets under pressure: busy handlers make clients wait, slow clients are bounded, control
frames pass by, nothing is lost in silence."""

import threading
import zmq

import pytest

from lib.deployment import dir_, handler
from lib.handler import Handler
from lib.server import Server
from lib.waiting import DEADLINE, wait_until
from lib.websocket import PING, PONG, TEXT, WebSocketClient, frame
from lib.websocket_site import WebSocketSite

pytestmark = pytest.mark.with_four

KILO = 1024


def memory(pid):
    """Private memory of a process in bytes."""
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
        lines = dict(line.split(":", 1) for line in file if ":" in line)
    return sum(int(lines[key].split()[0]) for key in ("Private_Clean", "Private_Dirty")) * KILO


def start(deployment, workers, settings=None, contract="messages", **row):
    deployment.configure({"/": dir_(), "/ws": handler(websocket=contract, **row)},
                         settings=settings)
    server = Server(deployment, workers=workers)
    on = Handler(deployment)
    on.requests.setsockopt(zmq.RCVHWM, 1)
    return WebSocketSite(deployment, server, on, contract)


# Goal: a handler that reads nothing makes a client that floods it wait: the server holds little,
# other requests of the pair find room; when the handler reads, every message is there, in order.
@pytest.mark.parametrize("contract", ["messages", "frames"])
def test_busy_handler(deployment, contract):
    site = start(deployment, 1, {"handler.wait_ms": 60000, "handler.queue": 20}, contract)
    worker = site.server.workers()[0]
    client = site.client()
    before = memory(worker)
    count = 20000
    sent = threading.Thread(target=lambda: client.send(b"".join(
        frame(b"%d %s" % (number, b"x" * KILO)) for number in range(count))), daemon=True)
    sent.start()
    other = site.server.client().send_request(path="/ws")
    # It comes to a halt: the client's socket is full, the worker's memory does not grow.
    sent.join(1.0)
    assert sent.is_alive() and memory(worker) - before < 8 * KILO * KILO
    order, requests = [], 0
    while len(order) < count or not requests:
        request = site.on.recv()
        if request.headers["METHOD"] == "GET":
            requests += 1
            site.on.reply(request, "me too")
        else:
            order.append(int(request.body.split()[0]))
    assert order == list(range(count))
    assert other.answer().body == b"me too"
    sent.join(DEADLINE)
    client.close()
    assert site.told_of_the_end(client)
    other.close()
    site.on.close()


# Goal: what many clients send at once to a busy pair, through one worker and through the relay,
# reaches handlers whole and in the order of each client, and nothing twice.
def test_many_clients_in_order(deployment, workers):
    site = start(deployment, workers, {"handler.wait_ms": 60000, "handler.queue": 20})
    clients = [site.client() for _ in range(10)]
    for client in clients:
        client.send(b"".join(frame(f"{number}") for number in range(300)))
    seen = {client.id: [] for client in clients}
    for _ in range(3000):
        request = site.next()
        seen[request.id].append(int(request.body))
    assert all(numbers == list(range(300)) for numbers in seen.values())
    site.on.close()


# Goal: a client that does not read is closed or loses whole messages, as its row says; its ping is
# answered meanwhile, before what waits for it.
@pytest.mark.parametrize("policy", ["close", "drop_newest", "drop_oldest"])
def test_slow_client(deployment, policy):
    site = start(deployment, 1, {"handler.output_bytes": 100 * KILO}, slow_clients=policy)
    client = WebSocketClient(deployment.port, receive_buffer=4096)
    client.open()
    client.id = site.next().id
    block = "x" * (32 * KILO)
    total = 400
    for number in range(total):
        site.on.send(client.id, f"{number} {block}".encode())
    if policy == "close":
        assert site.told_of_the_end(client)
        site.on.close()
        return
    wait_until(lambda: "does not take what it is owed" in site.server.log(), "drops in the log")
    client.send_frame(b"alive?", opcode=PING)
    client.send_frame("done")
    assert site.message() == (TEXT, b"done")  # behind the ping, so that is answered
    site.on.send(client.id, b"end")
    numbers, ponged_after = [], None
    while ponged_after is None or not numbers or numbers[-1] != "end":
        got = client.frame()
        if got.opcode == PONG:
            assert got.payload == b"alive?"
            ponged_after = len(numbers)
            continue
        numbers.append(got.payload.decode().split()[0])
        if policy == "drop_newest" and ponged_after is not None and len(numbers) > ponged_after:
            break  # the newest, "end", was dropped as well
    received = [int(number) for number in numbers if number != "end"]
    assert received == sorted(set(received)) and len(received) < total
    client.close()
    site.on.close()


# Goal: ten thousand pings of a client that reads no pong make no ten thousand pongs.
def test_ping_flood(deployment):
    site = start(deployment, 1)
    client = WebSocketClient(deployment.port, receive_buffer=4096)
    client.open()
    client.id = site.next().id
    worker = site.server.workers()[0]
    before = memory(worker)
    site.on.send(client.id, b"x" * (3 * KILO * KILO))  # its socket is full from now on
    assert client.take(10)[1] == 127
    client.send(frame(b"p" * 120, opcode=PING) * 20000 + frame("behind"))
    assert site.message() == (TEXT, b"behind")
    assert memory(worker) - before < 8 * KILO * KILO
    assert client.take(3 * KILO * KILO) == b"x" * (3 * KILO * KILO)
    site.on.send(client.id, b"end")
    pongs = 0
    while (got := client.frame()).opcode == PONG:
        pongs += 1
    assert got.payload == b"end" and 1 <= pongs < 100
    client.close()
    site.on.close()


# Goal: idle WebSockets hold no buffers: what big messages needed is given back.
def test_memory_is_given_back(deployment):
    site = start(deployment, 1, {"websocket.message_bytes": 2 * KILO * KILO})
    worker = site.server.workers()[0]
    clients = [site.client() for _ in range(20)]
    before = memory(worker)
    for client in clients:
        data = frame("x" * (KILO * KILO))
        client.send(data[:-1])
    wait_until(lambda: memory(worker) - before > 15 * KILO * KILO, "incomplete messages in memory")
    for client in clients:
        client.send(frame("x" * (KILO * KILO))[-1:])
        assert site.message()[0] == TEXT
    wait_until(lambda: memory(worker) - before < 6 * KILO * KILO, "the memory is given back")
    site.on.close()
