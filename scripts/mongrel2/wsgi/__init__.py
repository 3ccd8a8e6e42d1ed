"""Runs a WSGI application (PEP 3333) behind Mongrel2: Flask, Django, or three lines of one's own.

    python3 -m mongrel2.wsgi MODULE:NAME --sub tcp://127.0.0.1:9997 --pub tcp://127.0.0.1:9996

From Python: Bridge(connection, application).serve(). See docs/python.md.
"""

from mongrel2.wsgi.bridge import Bridge
from mongrel2.wsgi.environ import make_environ
from mongrel2.wsgi.site import Site

__all__ = ["Bridge", "Site", "make_environ"]
