"""What m2sh did to servers, in the history of their database (manual 3.7)."""

from __future__ import annotations

import sys

from mongrel2 import db
from mongrel2.m2sh.options import Options

# A stop must not wait for somebody who is writing.
_BUSY_SECONDS = 1.0


def record(options: Options, server: db.Row) -> None:
    """Adds that this command was given to the server. Not everybody who may stop a server may write
    its database; that is said, and stops nothing."""
    why = f"{options.line} ({server['name']} {server['uuid']})"
    try:
        db.add_log(options.db, f"{options.command}_command", why, busy=_BUSY_SECONDS)
    except db.DatabaseError as error:
        print(f"Not in the history: {error}", file=sys.stderr)
