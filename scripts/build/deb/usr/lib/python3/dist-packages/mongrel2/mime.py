"""The MIME table that every new configuration database begins with.

mimetypes.txt has one type a line, followed by its file extensions; an extension stands there once.
Called by db.py. A configuration adds to it or changes it with `mimetypes = {'.ext': 'type'}`.
"""

from __future__ import annotations

import os
from typing import Dict

_TABLE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "mimetypes.txt")


def table() -> Dict[str, str]:
    """Extension (lower case, with its dot) to type, in the order of the file."""
    types: Dict[str, str] = {}
    with open(_TABLE, encoding="ascii") as lines:
        for line in lines:
            words = line.split()
            if not words or words[0].startswith("#"):
                continue
            for extension in words[1:]:
                types[extension] = words[0]
    return types
