"""The command line: python3 -m mongrel2.wsgi MODULE:NAME --sub ... --pub ..."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
import threading
import traceback
import uuid
from typing import List, Optional

from mongrel2 import handler
from mongrel2.ending import on_end
from mongrel2.wsgi.bridge import GRACE_SECONDS, Application, Bridge
from mongrel2.wsgi.site import Site

# Threads of the application that are no daemons may hold the process so long after its end.
LAST_SECONDS = 5.0


def main(arguments: Optional[List[str]] = None) -> int:
    parser = argparse.ArgumentParser(prog="mongrel2.wsgi", description="WSGI behind Mongrel2")
    parser.add_argument("application", help="MODULE:NAME")
    parser.add_argument("--sub", required=True, help="send_spec of the handler row")
    parser.add_argument("--pub", required=True, help="recv_spec of the handler row")
    parser.add_argument("--sender", default=str(uuid.uuid4()), help="this handler's own UUID")
    parser.add_argument("--script-name", default="", help="the route's path, if it is not /")
    parser.add_argument("--threads", type=int, default=4, help="requests that run at a time")
    parser.add_argument("--site", help="the server's folder (chroot) as seen from here: for "
                        "uploads, and files that the server sends by itself")
    parser.add_argument("--sendfile", help="the folder of handler.sendfile, if it is not --site; "
                        "'': the server sends no files")
    parser.add_argument("--grace", type=float, default=GRACE_SECONDS,
                        help="seconds that answers have to end after TERM")
    options = parser.parse_args(arguments)
    for folder in (options.site, options.sendfile):
        if folder and not os.path.isdir(folder):
            parser.error(f"{folder!r} is no folder")
    if options.threads < 1:
        parser.error(f"--threads {options.threads}: at least one is needed")
    application = _load(options.application)
    if application is None:
        return 1
    with handler.Connection(options.sender, options.sub, options.pub) as connection:
        bridge = Bridge(connection, application, options.threads, options.script_name,
                        Site(options.site, options.sendfile), options.grace)
        with on_end(bridge.stop):
            bridge.serve()
    last = threading.Timer(LAST_SECONDS, os._exit, [0])
    last.daemon = True
    last.start()
    return 0


def _load(name: str) -> Optional[Application]:
    module, _, attribute = name.partition(":")
    sys.path.insert(0, os.getcwd())
    try:
        application: Application = getattr(importlib.import_module(module),
                                           attribute or "application")
        return application
    except (ImportError, AttributeError) as error:
        traceback.print_exc()
        print(f"mongrel2.wsgi: {name}: {error}", file=sys.stderr)
        return None


if __name__ == "__main__":
    sys.exit(main())
