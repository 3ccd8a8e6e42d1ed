#!/usr/bin/python3
"""A small site of its own, as it may have existed before Mongrel2: reached through a Proxy target.

Runs by itself too: deploy/demo/backend.py PORT. Python's http.server, HTTP/1.1, so that the server
can keep its connection open between requests.
"""

import html
import http.server
import json
import os
import sys

PAGE = """<!DOCTYPE html>
<html lang="en"><meta charset="utf-8"><title>Another server</title>
<style>
body {{ font: 16px/1.6 system-ui, sans-serif; max-width: 40em; margin: 3em auto; padding: 0 1em;
  color-scheme: light dark }}
pre {{ overflow: auto; padding: 1em; border: 1px solid #8886 }}
</style>
<h1>Another server wrote this page</h1>
<p>You asked Mongrel2 for <code>{path}</code>. Its route <code>/site/</code> is a Proxy, so it
passed your request on to process {pid}, Python's <code>http.server</code>, and its answer to
you.</p>
<p>Request number {count} on this connection between the two. What arrived:</p>
<pre>{seen}</pre>
<p><a href="/">Back to the folder</a></p></html>
"""


class Page(http.server.BaseHTTPRequestHandler):
    """One object for each connection that Mongrel2 opens, used for every request on it."""

    protocol_version = "HTTP/1.1"
    timeout = 60
    wbufsize = 8192  # head and body leave together; two small packets would wait for each other
    disable_nagle_algorithm = True
    count = 0

    def do_GET(self):
        self.count += 1
        if self.path.split("?")[0] == "/site/info":
            kind = "application/json"
            body = json.dumps({"site_pid": os.getpid(), "request_on_connection": self.count,
                               "request_line": self.requestline,
                               "headers": dict(self.headers.items())}, indent=2) + "\n"
        elif self.path.split("?")[0] == "/site/":
            kind = "text/html; charset=utf-8"
            seen = f"{self.requestline}\n{self.headers}".strip()
            body = PAGE.format(path=html.escape(self.path), pid=os.getpid(), count=self.count,
                               seen=html.escape(seen))
        else:
            self.send_error(404)
            return
        data = body.encode()
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    do_HEAD = do_GET

    def log_message(self, *_):
        pass  # the access log of Mongrel2 has it


def main(port):
    http.server.ThreadingHTTPServer.daemon_threads = True
    with http.server.ThreadingHTTPServer(("127.0.0.1", int(port)), Page) as server:
        server.serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
