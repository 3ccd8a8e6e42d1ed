#!/usr/bin/python3
"""A handler that receives large bodies (docs/uploads.md) and answers with their MD5.

    python3 upload.py SEND_SPEC RECV_SPEC FOLDER

FOLDER is the server's chroot: there, paths of uploads begin.
"""
import hashlib
import os
import sys

from mongrel2 import handler

LARGEST = 1 << 30


def file_md5(path):
    digest = hashlib.md5()
    with open(path, "rb") as file:
        while piece := file.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()


def answer(req):
    if req.is_upload_start():
        if int(req.headers.get("content-length", 0)) > LARGEST:
            conn.reply_http(req, "Too large for me.\n", 413, "Content Too Large")
            conn.close(req)  # the server stops reading, and removes the file
    elif req.is_upload_done():
        # Without a chroot an absolute path is one already.
        path = req.upload_path
        inside = os.path.join(sys.argv[3], path.lstrip("/"))
        path = inside if os.path.exists(inside) else path
        conn.reply_http(req, f"UPLOAD GOOD: {file_md5(path)}\n")
        os.unlink(path)  # the server leaves that to us
    else:
        conn.reply_http(req, f"INLINE: {hashlib.md5(req.body).hexdigest()}\n")


with handler.Connection("", sys.argv[1], sys.argv[2]) as conn:
    conn.serve(answer)
