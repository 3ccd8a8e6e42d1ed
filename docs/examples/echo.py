#!/usr/bin/python3
"""A handler in Python: answers every request with its path.

    python3 echo.py SEND_SPEC RECV_SPEC
"""
import sys

from mongrel2 import handler


def answer(request):
    method, size = request.headers["METHOD"], len(request.body)
    conn.reply_http(request, f"Python: {method} {request.path}, {size} bytes\n",
                    headers={"Content-Type": "text/plain"})


with handler.Connection("", sys.argv[1], sys.argv[2]) as conn:
    conn.serve(answer)
