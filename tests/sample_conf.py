# The configuration of the first test run (docs/getting-started.md): `make` loads it into
# tests/config.sqlite, and `m2sh start -db tests/config.sqlite -host localhost` serves it.
from mongrel2.config import *

main = Server(
    uuid="f400bf85-4538-4f7a-8908-67e313d515c2",
    access_log="/logs/access.log",
    error_log="/logs/error.log",
    chroot="./",
    default_host="localhost",
    name="test",
    pid_file="/run/mongrel2.pid",
    port=6767,
    hosts=[
        Host(name="localhost", routes={
            r'/': Dir(base='tests/www/', index_file='index.html', default_ctype='text/plain'),
            r'/tests/': Dir(base='tests/', index_file='index.html', default_ctype='text/plain'),
        })
    ]
)

commit([main])
