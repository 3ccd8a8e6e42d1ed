"""Standard output and standard error of m2sh, which may be closed, full, or without a reader.

Nothing that is printed can fail in the middle of a command, and no character that came from a file
or a server steers a terminal. The fault is kept, and costs the exit status at the end.
"""

from __future__ import annotations

import os
import re
from typing import Any, Match, Optional, TextIO

# Control characters but for the new line and the tab, and what cannot be written as UTF-8.
_UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


class Output:
    """Stands in for sys.stdout or sys.stderr; stream None: it was closed when m2sh was started."""

    def __init__(self, stream: Optional[TextIO]) -> None:
        self._stream = stream
        self.fault: Optional[OSError] = None
        if stream is not None and hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        if self._stream is None:
            self.fault = self.fault or OSError(9, os.strerror(9))
        if self.fault is None:
            try:
                self._stream.write(_UNSAFE.sub(_escaped, text))
            except OSError as error:
                self._give_up(error)
        return len(text)

    def flush(self) -> None:
        if self.fault is None and self._stream is not None:
            try:
                self._stream.flush()
            except OSError as error:
                self._give_up(error)

    def _give_up(self, error: OSError) -> None:
        """What is still in the buffer goes nowhere, without another fault at the end."""
        self.fault = error
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, self._stream.fileno())
        os.close(null)


def one_line(text: object) -> str:
    """Text of somebody else as part of a line: it cannot begin another one."""
    return str(text).replace("\\", "\\\\").replace("\n", "\\n") if "\n" in str(text) else str(text)


def open_closed_streams() -> None:
    """Descriptors 0, 1 and 2 are there, so that no other file takes their numbers and is written
    over by a program that prints. What is put there cannot be written to, and programs that are
    started find them closed, as they were."""
    while True:
        null = os.open(os.devnull, os.O_RDONLY)
        if null > 2:
            os.close(null)
            return


def _escaped(match: Match[str]) -> str:
    code = ord(match.group())
    return f"\\x{code:02x}" if code < 256 else f"\\udc{code & 0xff:02x}"
