"""The environ of PEP 3333 for one request. Knows no socket and no file."""

from __future__ import annotations

import re
import sys
from typing import Any, Dict, Optional, Tuple
from urllib.parse import unquote_to_bytes

from mongrel2.request import SERVER_KEYS, Request

# A host is a name, an IPv4 address, or an IPv6 address in brackets; then perhaps a port.
HOST = re.compile(r"(\[[^\]]*\]|[^:]*)(?::([0-9]*))?")


def make_environ(request: Request, body: Any, script_name: str = "",
                 size: Optional[int] = None) -> Dict[str, Any]:
    """script_name: the part of the path that leads to the application. size: of the body, if body
    is not that of the request."""
    headers = request.headers
    path = unquote_to_bytes(request.path).decode("latin-1")
    if script_name and (path == script_name or path.startswith(script_name + "/")):
        path = path[len(script_name):]
    scheme = headers.get("URL_SCHEME", "http")
    name, port = _server(headers.get("host", ""), scheme)
    environ: Dict[str, Any] = {
        "REQUEST_METHOD": headers.get("METHOD", "GET"), "SCRIPT_NAME": script_name,
        "PATH_INFO": path, "QUERY_STRING": headers.get("QUERY", ""), "SERVER_NAME": name,
        "SERVER_PORT": port, "SERVER_PROTOCOL": headers.get("VERSION", "HTTP/1.1"),
        "REMOTE_ADDR": headers.get("REMOTE_ADDR", ""), "REQUEST_URI": headers.get("URI", path),
        "wsgi.version": (1, 0), "wsgi.url_scheme": scheme, "wsgi.input": body,
        "wsgi.input_terminated": True, "wsgi.errors": sys.stderr, "wsgi.multithread": True,
        "wsgi.multiprocess": True, "wsgi.run_once": False,
    }
    if "REQUEST_ID" in headers:
        environ["REQUEST_ID"] = headers["REQUEST_ID"]
    for field in headers:
        if field in SERVER_KEYS:
            continue
        key = field.upper().replace("-", "_")
        if key == "CONTENT_TYPE":
            environ[key] = ",".join(headers.getlist(field))
        elif "_" not in field:  # "x_y" must not pass for "x-y"
            environ["HTTP_" + key] = ",".join(headers.getlist(field))
    # The body has arrived whole and without chunks, so its length is known, and an application that
    # reads HTTP_TRANSFER_ENCODING would look for chunks.
    framed = environ.pop("HTTP_TRANSFER_ENCODING", None), environ.pop("HTTP_CONTENT_LENGTH", None)
    length = len(request.body) if size is None else size
    if length or framed != (None, None):
        environ["CONTENT_LENGTH"] = str(length)
    return environ


def _server(host: str, scheme: str) -> Tuple[str, str]:
    """SERVER_NAME and SERVER_PORT. An IPv6 address keeps its brackets (RFC 3875 4.1.14), so that
    PEP 3333's way to put a URL together from both gives a URL."""
    match = HOST.fullmatch(host)
    name, port = (match[1], match[2]) if match else (host, "")
    return name or "localhost", port or ("443" if scheme == "https" else "80")
