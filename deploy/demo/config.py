# The demonstration site: one port, three kinds of target. deploy/demo/run has written down which
# folder and which ports are free to use; from the top of the checkout this works at any time:
#
#   scripts/m2sh load -db build/demo/config.sqlite -config deploy/demo/config.py
#   scripts/m2sh reload -db build/demo/config.sqlite -name demo
import json
import os

from mongrel2.config import *

top = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
with open(os.path.join(top, "build", "demo", "places.json")) as file:
    places = json.load(file)

files = Dir(base="static/", index_file="index.html", default_ctype="text/plain")

app = Handler(send_spec=places["requests"], send_ident="b7a3c9de-5d1f-4a57-8f0c-9b4f6f0c2a11",
              recv_spec=places["answers"], recv_ident="")

site = Proxy(addr="127.0.0.1", port=places["site_port"])

localhost = Host(name="localhost", routes={
    "/": files,
    "/app/": app,
    "/site/": site,
})

demo = Server(
    uuid="0a5f6d3e-6c58-4f3b-9d53-3f1f5e1c7a90",
    name="demo",
    chroot=places["folder"],
    access_log="/logs/access.log",
    error_log="/logs/error.log",
    pid_file="/run/mongrel2.pid",
    default_host="localhost",
    bind_addr=places["address"],
    port=places["port"],
    hosts=[localhost],
)

# In the foreground, also as root, so that deploy/demo/run can stop it.
commit([demo], settings={"server.daemonize": 0})
