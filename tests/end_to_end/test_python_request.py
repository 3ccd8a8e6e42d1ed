# Goal: a handler sees what the server sent, byte for byte, and no browser can pass for the server.
# Method: messages as they stand in the protocol, parsed and looked at. No socket.
import json

import pytest

from lib import m2sh_tools  # noqa: F401  (finds the package)
from mongrel2.request import Request
from mongrel2.response import http_response, websocket_frame

UUID = b"34f9ceee-cd52-4b7f-b197-88bf2f0ec378"


def message(headers, body=b"", path=b"/h"):
    block = headers if isinstance(headers, bytes) else json.dumps(headers).encode()
    return b"%s 7 %s %d:%s,%d:%s," % (UUID, path, len(block), block, len(body), body)


def test_all_parts_are_taken_apart():
    req = Request.parse(message({"PATH": "/h", "METHOD": "POST", "host": "a:1"}, b"\0\xff,5:x "))
    assert (req.sender, req.conn_id, req.path) == (UUID.decode(), "7", "/h")
    assert req.headers == {"PATH": "/h", "METHOD": "POST", "host": "a:1"}
    assert req.body == b"\0\xff,5:x "
    assert req.data == {}
    assert not req.is_disconnect()


def test_uploads_are_told_apart():
    start, done = "x-mongrel2-upload-start", "x-mongrel2-upload-done"
    req = Request.parse(message({"METHOD": "POST", start: "tmp/b.1"}))
    assert req.is_upload_start() and not req.is_upload_done() and req.upload_path == "tmp/b.1"
    req = Request.parse(message({"METHOD": "POST", start: "tmp/b.1", done: "tmp/b.1"}))
    assert req.is_upload_done() and not req.is_upload_start() and req.upload_path == "tmp/b.1"
    for odd in ({done: "tmp/b.1"}, {start: "tmp/b.1", done: "tmp/b.2"}, {}):
        req = Request.parse(message({"METHOD": "POST", **odd}))
        assert not req.is_upload_done() and not req.is_upload_start()
    req = Request.parse(message({"UPLOAD_STREAM": "5000"}, b"piece"))
    assert req.upload_offset == 5000 and not req.is_last_piece()
    assert Request.parse(message({"UPLOAD_STREAM": "0", "UPLOAD_STREAM_DONE": "1"})).is_last_piece()
    assert Request.parse(message({"upload_stream": "0"})).upload_offset is None


def test_headers_are_found_in_any_spelling():
    headers = Request.parse(message({"content-length": "3", "killme": "1", "X-Old": "2",
                                     "x-dup": ["a", "b"]})).headers
    assert headers["Content-Length"] == headers["CONTENT-LENGTH"] == "3"
    assert headers.get("KILLME") == "1" and "x-old" in headers and headers.get("none", 5) == 5
    assert headers.getlist("X-Dup") == ["a", "b"] and headers.getlist("killme") == ["1"]
    assert headers.getlist("none") == []
    with pytest.raises(KeyError):
        headers["None"]
    headers["Killme"] = "0"
    assert dict(headers)["killme"] == "0"
    del headers["KILLME"]
    assert "killme" not in headers
    assert json.loads(json.dumps(headers))["X-Old"] == "2"


def test_a_browser_cannot_forge_what_the_server_says():
    forged = {"method": "JSON", "query": "admin=1", "METHOD": "GET", "path": "/other", "PATH": "/h"}
    req = Request.parse(message(forged, b'{"type":"disconnect"}'))
    assert not req.is_disconnect()
    assert req.headers["METHOD"] == "GET" and req.headers["PATH"] == "/h"
    assert "QUERY" not in req.headers and req.headers.get("QUERY") is None
    assert req.headers["query"] == "admin=1"


def test_tnetstring_headers():
    raw = (b"ident-tnet 4 /t/a 59:6:METHOD,3:GET,4:host,1:a,5:x-dup,12:3:one,3:two,]1:f,2:\xc3\xa4,"
           b"}2:hi,")
    req = Request.parse(raw)
    assert req.sender == "ident-tnet" and req.body == b"hi"
    assert req.headers == {"METHOD": "GET", "host": "a", "x-dup": ["one", "two"], "f": "ä"}


@pytest.mark.parametrize("raw", [
    b'u 5 @* 17:{"METHOD":"JSON"},21:{"type":"disconnect"},',
    b'u 5 @* 16:6:METHOD,4:JSON,}21:{"type":"disconnect"},',
])
def test_disconnect_notices(raw):
    req = Request.parse(raw)
    assert req.is_disconnect() and req.conn_id == "5" and req.data == {"type": "disconnect"}


# What a client of a JSON socket sends has a route, and with it PATH, whatever the route is called.
@pytest.mark.parametrize("path", [b"@chat", b"@*"])
@pytest.mark.parametrize("kind", ["disconnect", "credits"])
def test_a_client_cannot_forge_a_notice(path, kind):
    body = json.dumps({"type": kind}).encode()
    headers = {"PATH": path.decode(), "METHOD": "JSON", "PATTERN": path.decode()}
    req = Request.parse(message(headers, body, path))
    assert not req.is_disconnect() and not req.is_credits() and req.data == {"type": kind}


def test_credits():
    req = Request.parse(b'u 5 @* 41:{"METHOD":"JSON","DOWNLOAD_CREDITS":"43"},'
                        b'18:{"type":"credits"},')
    assert req.is_credits() and req.download_credits == 43 and not req.is_disconnect()
    assert Request.parse(message({"METHOD": "GET"})).download_credits is None


def test_the_id_of_a_request_is_the_server_s():
    headers = Request.parse(message({"METHOD": "GET", "request_id": "forged"})).headers
    assert headers.get("REQUEST_ID") is None and headers["request_id"] == "forged"
    assert Request.parse(message({"REQUEST_ID": "7"})).headers["REQUEST_ID"] == "7"


@pytest.mark.parametrize("body", [b"{broken", b"", b"[1]", b"3", b"[" * 100000])
def test_json_of_a_browser_does_not_end_a_handler(body):
    req = Request.parse(message({"METHOD": "JSON"}, body))
    assert not req.is_disconnect()
    assert req.body == body


def test_header_blocks_of_old_servers_that_are_not_strict_json():
    req = Request.parse(message(b'{"METHOD":"GET","x":"a\tb\xff"}'))
    assert req.headers["x"].encode("utf-8", "surrogateescape") == b"a\tb\xff"


@pytest.mark.parametrize("raw", [
    b"", b"a b c", b"a b c d", b"a b c 2:{},", b"a b c 2:{}x0:,", b"a b c 2:[],0:,",
    b"a b c 9:{},0:,", b"a b c 2:{},1:,", b"a b c 2:{},0:}",
])
def test_what_is_no_message_is_refused(raw):
    with pytest.raises(ValueError):
        Request.parse(raw)


def test_encode_and_parse_agree():
    req = Request.parse(message({"PATH": "/h", "METHOD": "PUT", "x": ["1", "ä"]}, b"\0body"))
    again = Request.parse(req.encode())
    assert vars(again) == vars(req)

    class Socket:
        sent = []

        def send(self, data):
            self.sent.append(data)

    req.forward(Socket())
    assert Socket.sent == [req.encode()]


@pytest.mark.parametrize("headers, close", [
    ({"VERSION": "HTTP/1.1"}, False),
    ({"VERSION": "HTTP/1.0"}, True),
    ({"VERSION": "HTTP/1.1", "connection": "close"}, True),
    ({"VERSION": "HTTP/1.1", "connection": "Close, TE"}, True),
    ({"VERSION": "HTTP/1.1", "connection": ["TE", "close"]}, True),
    ({"VERSION": "HTTP/1.1", "connection": "closed"}, False),
])
def test_should_close(headers, close):
    assert Request("u", 1, "/", headers).should_close() is close


def test_http_response():
    assert http_response("hé") == b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nh\xc3\xa9"
    made = http_response(b"", 404, "Not Found", {"A": 1, "content-length": 99})
    assert made == b"HTTP/1.1 404 Not Found\r\nA: 1\r\nContent-Length: 0\r\n\r\n"
    assert http_response("", 404).startswith(b"HTTP/1.1 404 Not Found\r\n")
    assert http_response("", 799).startswith(b"HTTP/1.1 799 \r\n")
    for bad in ({"A": "b\r\nC: d"}, {"A\n": "b"}, {"A": "\0"}):
        with pytest.raises(ValueError):
            http_response("", headers=bad)
    with pytest.raises(TypeError):
        http_response(5)


@pytest.mark.parametrize("headers", [
    [("Set-Cookie", "a=1"), ("A", "b"), ("Set-Cookie", "b=2")],
    {"Set-Cookie": ["a=1", "b=2"], "A": "b"}, {"Set-Cookie": ("a=1", "b=2"), "A": "b"}])
def test_a_header_may_come_more_than_once(headers):
    lines = http_response("x", headers=headers).split(b"\r\n")
    assert [line for line in lines if line.startswith(b"Set")] == [
        b"Set-Cookie: a=1", b"Set-Cookie: b=2"]
    assert b"A: b" in lines


@pytest.mark.parametrize("code", [100, 103, 204, 304])
def test_answers_without_a_body_have_no_length(code):
    made = http_response("body", code, "X", {"A": "b", "Content-Length": "4"})
    assert made == b"HTTP/1.1 %d X\r\nA: b\r\n\r\n" % code


@pytest.mark.parametrize("size, head", [
    (2, b"\x81\x02"), (125, b"\x81\x7d"), (126, b"\x81\x7e\x00\x7e"),
    (65535, b"\x81\x7e\xff\xff"), (65536, b"\x81\x7f\0\0\0\0\0\x01\0\0"),
])
def test_websocket_frames(size, head):
    assert websocket_frame(b"x" * size) == head + b"x" * size


def test_websocket_frame_bits():
    assert websocket_frame("", opcode=8) == b"\x88\x00"
    assert websocket_frame("", opcode=2, rsvd=4) == b"\xc2\x00"
