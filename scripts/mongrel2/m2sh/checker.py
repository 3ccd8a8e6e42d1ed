"""Whether a server could start with a configuration, asked of the program that would start, before
anything is written: load, check, start and reload find the same things.
"""

from __future__ import annotations

import os
import subprocess
import sys
from typing import List

from mongrel2 import config, db
from mongrel2.m2sh import process

# A name that no name server knows takes its time.
_CHECK_SECONDS = 60


class Refused(Exception):
    """Servers could not start with it; the message has all that was found."""


def refuse_faults(path: str, commit: config.Commit) -> None:
    """Asks the server about a copy that lies where the database will. Warnings are printed."""
    try:
        program = process.program()
    except process.ProcessError as error:
        if "MONGREL2_BIN" in os.environ:
            raise
        print(f"Loaded unchecked but for the language. {error}; m2sh check looks at the rest.",
              file=sys.stderr)
        return
    findings: List[str] = []
    with db.copy(path, commit) as copy:
        for server in commit.servers:
            findings += [line.replace(copy, path) for line in _ask(program, copy, server.uuid)
                         if line.replace(copy, path) not in findings]
    text = "\n".join(findings)
    if any(line.startswith("error: ") for line in findings):
        raise Refused(f"{text}\nNothing is loaded, because a server could not start with it; "
                      "-force loads it all the same.")
    if text:
        print(text, file=sys.stderr)


def _ask(program: str, database: str, uuid: str) -> List[str]:
    """The errors and warnings that the server has about one of the servers."""
    try:
        done = subprocess.run([program, "--check", database, uuid], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              errors="replace", timeout=_CHECK_SECONDS)
    except subprocess.TimeoutExpired:
        return [f"error: {program} --check has not ended within {_CHECK_SECONDS} s"]
    lines = [line for line in done.stdout.splitlines() if line.startswith(("error: ", "warning: "))]
    if done.returncode != 0 and not any(line.startswith("error: ") for line in lines):
        # Mongrel2 1.x, perhaps, which the PATH may have.
        print(f"Loaded unchecked but for the language, since {program} cannot check.",
              file=sys.stderr)
    return lines
