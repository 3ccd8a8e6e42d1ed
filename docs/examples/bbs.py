#!/usr/bin/python3
"""A bulletin board for terminals, over a JSON socket: what each user is in the middle of is a
generator, which gets one line after the other.

    bbs = Handler(send_spec=..., recv_spec=..., ...)
    routes = {'@bbs': bbs}

    python3 bbs.py SEND_SPEC RECV_SPEC

A client sends @bbs {"type":"connect"} and then @bbs {"type":"msg","msg":LINE}, each with a NUL. It
gets {"type":"screen","msg":TEXT}, {"type":"prompt","msg":TEXT} and {"type":"exit"}, each as base64
with a NUL.
"""
import json
import sys

from mongrel2 import handler

POSTS_KEPT, LINES_MOST = 100, 50
POSTS = []


def session(show):
    """Yields when a line is to come. show() puts something on the screen."""
    show("screen", "Welcome to the board.")
    show("prompt", "Your name?")
    name = (yield)[:30]
    while True:
        show("prompt", f"{name}: (r)ead, (p)ost, (q)uit?")
        wish = (yield)[:1].lower()
        if wish == "r":
            show("screen", "\n".join(POSTS) or "Nobody has written anything.")
        elif wish == "p":
            show("prompt", "Your lines; a single dot ends them.")
            lines = []
            while (line := (yield)) != "." and len(lines) < LINES_MOST:
                lines.append(line[:200])
            POSTS.append(f"{name}: " + "\n  ".join(lines))
            del POSTS[:-POSTS_KEPT]
            show("screen", "Posted.")
        elif wish == "q":
            show("exit", "Come back.")
            return


def begin(conn, req):
    def show(kind, text):
        conn.reply_json(req, {"type": kind, "msg": text})
    made = session(show)
    next(made)
    return made


def take(request):
    if request.conn_id not in sessions:
        sessions[request.conn_id] = begin(conn, request)
        return
    try:
        sessions[request.conn_id].send(str(json.loads(request.body).get("msg", "")))
    except StopIteration:
        del sessions[request.conn_id]
        conn.close(request)


def leave(request):
    sessions.pop(request.conn_id, None)


sessions = {}
with handler.Connection("", sys.argv[1], sys.argv[2]) as conn:
    conn.serve(take, leave)
