#!/usr/bin/python3
"""Internet radio: all listeners get the same block of music in the same message, with the title of
the song behind it. Players that know ICY (mplayer, ffplay, vlc) show it.

    python3 radio.py SEND_SPEC RECV_SPEC BYTES_PER_SECOND SONG.mp3 ...
    mplayer http://localhost:6767/radio

BYTES_PER_SECOND is the rate of the music: 16000 for 128 kbit/s.
"""
import itertools
import os
import sys
import time

from mongrel2 import handler

BLOCK = 8192
LISTENERS_MOST = 1000
HEAD = {"Content-Type": "audio/mpeg", "icy-metaint": BLOCK, "icy-name": "Mongrel2 Radio"}


def title(path):
    """As ICY has it: the number of 16-byte pieces, then the text, filled up with NUL."""
    name = os.path.splitext(os.path.basename(path))[0].replace("'", "")
    text = f"StreamTitle='{name}';".encode()
    pieces = -(-len(text) // 16)
    return bytes([pieces]) + text.ljust(16 * pieces, b"\0")


def blocks(songs):
    """(music, title) for ever. A block may have the end of one song and the begin of the next."""
    music, name = b"", b"\0"
    for path in itertools.cycle(songs):
        with open(path, "rb") as file:
            while data := file.read(BLOCK - len(music)):
                music, name = music + data, title(path)
                if len(music) == BLOCK:
                    yield music, name
                    music = b""


def main(requests, replies, rate, *songs):
    listeners, sender = set(), ""
    music, begin, sent = blocks(songs), time.monotonic(), 0
    with handler.Connection("", requests, replies) as conn:
        while True:
            due = begin + sent / int(rate)
            req = conn.recv(max(0, due - time.monotonic()))
            if req is None:
                block, name = next(music)
                conn.deliver(sender, listeners, block + name)
                sent += BLOCK
            elif req.is_disconnect():
                listeners.discard(req.conn_id)
            elif len(listeners) >= LISTENERS_MOST:
                conn.reply_http(req, "Too many listen.\n", 503, "Service Unavailable")
            else:
                sender = req.sender
                listeners.add(req.conn_id)
                lines = "".join(f"{name}: {value}\r\n" for name, value in HEAD.items())
                conn.reply(req, f"HTTP/1.1 200 OK\r\n{lines}Connection: close\r\n\r\n")


main(*sys.argv[1:])
