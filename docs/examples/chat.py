#!/usr/bin/python3
"""A chat room for everybody: browsers with WebSockets (chat.html), JSON sockets, and long polls for
whoever has neither. One handler pair serves all three:

    chat = Handler(send_spec=..., recv_spec=..., websocket='messages', ...)
    routes = {'/room': chat, '@chat': chat}

    python3 chat.py SEND_SPEC RECV_SPEC

Messages are JSON: {"type": "join", "user": "ada"}, then {"type": "msg", "msg": "hello"}. Everybody
hears join, msg and part; who joins hears first who is there. GET /room?after=N waits for what comes
behind message N; POST /room says something without joining.
"""
import json
import sys
from urllib.parse import parse_qs

from mongrel2 import handler

KEPT = 100
JSON = {"Content-Type": "application/json", "Cache-Control": "no-store"}


class Room:
    def __init__(self, conn):
        self.conn = conn
        self.users = {}       # connection id to name
        self.websockets = {}  # connection id to True; the others have JSON sockets
        self.polls = set()    # connection ids that wait
        self.said, self.count = [], 0

    def say(self, sender, **event):
        self.count += 1
        self.said = (self.said + [{"id": self.count, **event}])[-KEPT:]
        text = json.dumps(event)
        self.conn.deliver_message(sender, [i for i in self.users if i in self.websockets], text)
        self.conn.deliver(sender, [i for i in self.users if i not in self.websockets], text)
        self.conn.deliver_http(sender, self.polls, self.page(self.count - 1), headers=JSON)
        self.polls.clear()

    def page(self, after):
        return json.dumps({"said": [e for e in self.said if e["id"] > after], "next": self.count})

    def message(self, req, text):
        """Of somebody who is connected."""
        try:
            data = json.loads(text)
            kind, user, msg = data["type"], data.get("user"), data.get("msg")
        except (ValueError, KeyError, TypeError, AttributeError):
            return
        if kind == "join" and isinstance(user, str) and req.conn_id not in self.users:
            hello = json.dumps({"type": "users", "users": list(self.users.values())})
            if req.conn_id in self.websockets:
                self.conn.reply_message(req, hello)
            else:
                self.conn.reply(req, hello)
            self.users[req.conn_id] = user[:30]
            self.say(req.sender, type="join", user=user[:30])
        elif kind == "msg" and isinstance(msg, str) and req.conn_id in self.users:
            self.say(req.sender, type="msg", user=self.users[req.conn_id], msg=msg[:1000])

    def request(self, req):
        """A long poll, or somebody who says something by POST."""
        if req.headers["METHOD"] == "POST":
            try:
                data = json.loads(req.body)
                user, msg = str(data["user"])[:30], str(data["msg"])[:1000]
            except (ValueError, KeyError, TypeError):
                self.conn.reply_http(req, "user and msg, as JSON\n", 400, "Bad Request")
                return
            self.conn.reply_http(req, "{}", headers=JSON)
            self.say(req.sender, type="msg", user=user, msg=msg)
            return
        after = parse_qs(req.headers.get("QUERY", "")).get("after", ["0"])[0]
        after = int(after) if after.isdigit() and len(after) < 10 else 0
        if after < self.count:
            self.conn.reply_http(req, self.page(after), headers=JSON)
        else:
            self.polls.add(req.conn_id)

    def gone(self, req):
        self.polls.discard(req.conn_id)
        self.websockets.pop(req.conn_id, None)
        if user := self.users.pop(req.conn_id, None):
            self.say(req.sender, type="part", user=user)


def take(request):
    if request.event == "text":
        room.websockets[request.conn_id] = True
        room.message(request, request.body)
    elif request.event:
        pass  # open and close: nothing to do
    elif request.path == "@chat":
        room.message(request, request.body)
    else:
        room.request(request)


with handler.Connection("", sys.argv[1], sys.argv[2]) as conn:
    room = Room(conn)
    conn.serve(take, room.gone)
