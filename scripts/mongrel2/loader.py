"""A configuration file to a Commit, whichever of the two languages it is written in.

Python: files named *.py, and files that import from mongrel2. All others are read as the language
of 1.x (dsl.py). Called by m2sh; writes nothing.
"""

from __future__ import annotations

import os
import re
import stat
import sys
import traceback
from dataclasses import fields
from typing import Optional

from mongrel2 import config, dsl
from mongrel2.suggest import did_you_mean

_IMPORT = re.compile(r"^[ \t]*(from|import)[ \t]+mongrel2\b", re.MULTILINE)


def read(path: str) -> config.Commit:
    """What the file at path asks for. ConfigError names the file and, where it can, the line."""
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read()
    except OSError as error:
        raise config.ConfigError(f"{path} not readable: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise config.ConfigError(f"{path}: byte {error.start} is not UTF-8 text") from None
    if path.endswith(".py") or _IMPORT.search(text):
        commit = _run(text, path)
    else:
        commit = dsl.read(text, path)
    if not commit.servers:
        raise config.ConfigError(f"{path} commits no server; end it with commit([main])")
    return commit


def _run(text: str, path: str) -> config.Commit:
    """Runs a Python file. The words of the language are there even if it does not import them."""
    folder = os.path.dirname(os.path.abspath(path))
    if os.geteuid() == 0 and os.stat(folder).st_mode & stat.S_IWOTH:
        raise config.ConfigError(f"{path}: everybody can put modules beside it, which root would "
                                 f"run; make a folder for it in {folder}")
    names = {name: getattr(config, name) for name in config.__all__}
    names.update(__name__="mongrel2_configuration", __file__=path)
    with config.collecting(path) as commit:
        sys.path.insert(0, folder)
        try:
            exec(compile(text, path, "exec"), names)
            # A file in the manner of 1.x says what to load by the names of its variables.
            if not commit.servers and "servers" in names:
                commit.add(names["servers"], names.get("settings"), names.get("mimetypes"))
        except SystemExit as stop:
            raise config.ConfigError(f"{path} ended itself with sys.exit({stop.code!r})") from None
        except Exception as error:
            raise config.ConfigError(_explain(path, error)) from error
        finally:
            sys.path.remove(folder)
    return commit


def _explain(path: str, error: Exception) -> str:
    """FILE:LINE: what went wrong, where the line is the last one outside of this package."""
    if isinstance(error, SyntaxError):
        return f"{error.filename or path}:{error.lineno}: {error.msg}"
    package = os.path.dirname(os.path.abspath(__file__))
    name, line = path, 0
    for frame in traceback.extract_tb(error.__traceback__):
        if not os.path.abspath(frame.filename).startswith(package + os.sep):
            if not frame.filename.startswith("<"):
                name, line = frame.filename, frame.lineno or 0
    place = f"{name}:{line}" if line else name
    if isinstance(error, config.ConfigError):
        return f"{place}: {error}"
    if isinstance(error, TypeError):
        return _explain_call(name, line, str(error)) or f"{place}: TypeError: {error}"
    return f"{place}: {type(error).__name__}: {error}"


def _explain_call(path: str, line: int, text: str) -> str:
    """What Python says of a call of ours with wrong words, in the words of the language; "": it is
    about something else."""
    match = re.match(r"(\w+)\.__init__\(\) (got an unexpected keyword argument|missing)", text)
    kind = getattr(config, match.group(1), None) if match else None
    words = re.findall(r"'(\w+)'", text)
    if kind is None or match is None or not words:
        return ""
    if match.group(2) == "missing":
        return f"{path}:{line}: {match.group(1)} needs {' and '.join(words)}"
    known = [spec.name for spec in fields(kind)]
    column = _column_of(path, line, words[0])
    return (f"{path}:{column or line}: {match.group(1)} has no {words[0]}; it has "
            f"{', '.join(known)}.{did_you_mean(words[0], known)}")


def _column_of(path: str, line: int, keyword: str) -> Optional[str]:
    """LINE:COLUMN of a keyword in the call that is on this line of a file."""
    import ast  # only where something is wrong already

    try:
        with open(path, encoding="utf-8") as file:
            tree = ast.parse(file.read())
    except (OSError, SyntaxError, ValueError):
        return None
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and node.lineno <= line <= (node.end_lineno or node.lineno):
            for word in node.keywords:
                if word.arg == keyword:
                    return f"{word.lineno}:{word.col_offset + 1}"
    return None
