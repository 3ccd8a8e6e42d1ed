# Goal: typed netstrings are written and read as the format says, and nonsense is refused.
import pytest

from lib import m2sh_tools  # noqa: F401  (finds the package)
from mongrel2 import tnetstrings


@pytest.mark.parametrize("value, data", [
    (b"hello", b"5:hello,"),
    (b"", b"0:,"),
    (12345, b"5:12345#"),
    (-1, b"2:-1#"),
    (1.5, b"3:1.5^"),
    (True, b"4:true!"),
    (False, b"5:false!"),
    (None, b"0:~"),
    ([], b"0:]"),
    ({}, b"0:}"),
    ({b"hello": [b"this", 1, None]}, b"26:5:hello,14:4:this,1:1#0:~]}"),
])
def test_values_round_trip(value, data):
    assert tnetstrings.dump(value) == data
    assert tnetstrings.parse(data + b"rest") == (value, b"rest")


def test_text_is_written_as_utf8():
    assert tnetstrings.dump({"ä": "ö"}) == "10:2:ä,2:ö,}".encode()


@pytest.mark.parametrize("data", [
    b"", b"5", b":", b"x:y,", b"5:hell,", b"5:hello", b"-1:x,", b"1:x?", b"1:x#", b"1:x^",
    b"3:yes!", b"1:x~", b"4:1:a,}", b"8:1:1#1:b,}", b"9999999999:x,", b"3:5:a]", b" 1:a,",
])
def test_nonsense_is_refused(data):
    with pytest.raises(ValueError):
        tnetstrings.parse(data)


def test_nesting_is_bounded():
    data = b""
    for _ in range(1000):
        data = b"%d:%s]" % (len(data), data)
    with pytest.raises(ValueError, match="deeper"):
        tnetstrings.parse(data)
    endless = []
    endless.append(endless)
    with pytest.raises(ValueError, match="deeper"):
        tnetstrings.dump(endless)


def test_what_has_no_form_is_refused():
    with pytest.raises(TypeError):
        tnetstrings.dump(object())
    with pytest.raises(TypeError):
        tnetstrings.dump({1: "a"})
