"""Mongrel2 for Python: configuration files, their database, and handlers.

`mongrel2.config` is the language of configuration files, `mongrel2.handler` and `mongrel2.request`
are for those who write handlers (they need pyzmq; all the rest is standard library alone).
"""

__version__ = "2.0.0"
