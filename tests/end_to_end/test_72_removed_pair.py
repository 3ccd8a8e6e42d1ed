"""A reload removes a handler pair on TCP while an answer is due."""

from lib.deployment import dir_, handler
from lib.handler import Handler
from lib.server import Server
from lib.waiting import free_port, wait_until


# Goal: the answer still arrives; until then the port is taken, which a configuration that wants it
# is told, and nothing else happens; afterwards it can be had again. Method: one held request.
def test_port(deployment, workers):
    requests, replies = free_port(), free_port()
    specs = (f"tcp://127.0.0.1:{requests}", f"tcp://127.0.0.1:{replies}")
    pair = handler(send_spec=specs[0], recv_spec=specs[1])
    deployment.configure({"/": dir_(), "/h": pair})
    with Server(deployment, workers=workers) as server, server.client() as client:
        with Handler(deployment, specs=specs) as on:
            client.send_request(path="/h")
            held = on.recv()
            deployment.configure({"/": dir_()})
            server.reload()
            deployment.configure({"/": dir_(), "/again": pair})
            server.reload()
            assert server.get("/again").status == 404
            assert str(requests) in server.log() and "Address already in use" in server.log()
            on.reply(held, "late but whole")
            assert client.answer().body == b"late but whole"

        def serves():
            server.reload()
            return "refused" not in server.log().rsplit("reload", 1)[-1] and \
                server.get("/again").status != 404
        deployment.configure({"/": dir_(), "/again": pair}, settings={"handler.wait_ms": 1})
        wait_until(serves, "the port to be free")
