#!/usr/bin/python3
"""Shows what a handler gets: answers with the parts of the request. A request with a field `KillMe`
gets an empty page.

    python3 dump.py SEND_SPEC RECV_SPEC
"""
import html
import json
import sys

from mongrel2 import handler


def answer(req):
    if "killme" in req.headers:
        conn.reply_http(req, "")
        return
    shown = {"SENDER": req.sender, "IDENT": req.conn_id, "PATH": req.path,
             "HEADERS": json.dumps(req.headers, indent=2), "BODY": repr(req.body)}
    lines = "\n".join(f"{name}: {html.escape(value)}" for name, value in shown.items())
    conn.reply_http(req, f"<!doctype html><title>Dump</title><pre>\n{lines}\n</pre>\n",
                    headers={"Content-Type": "text/html; charset=utf-8"})


def left(notice):
    print(f"{notice.conn_id} has gone", flush=True)


with handler.Connection("", sys.argv[1], sys.argv[2]) as conn:
    conn.serve(answer, left)
