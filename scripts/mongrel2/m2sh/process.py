"""Programs that m2sh starts: the server, and itself again by way of sudo."""

from __future__ import annotations

import os
import pwd
import shlex
import shutil
import subprocess
import sys
from typing import List, Union


class ProcessError(Exception):
    """Something could not be done to a process; the message says what and what would help."""


def sudo_words(sudo: Union[str, bool, None]) -> List[str]:
    """What to put before a command for -sudo [COMMAND]; root needs no sudo, only a COMMAND."""
    if not sudo or (sudo is True and os.geteuid() == 0):
        return []
    return ["sudo"] if sudo is True else shlex.split(str(sudo))


def run_again(sudo: Union[str, bool, None], words: List[str], pid: int) -> int:
    """Runs m2sh with these words as somebody who may signal the process; its status. The numbers of
    processes are looked up by that one again: what we have seen is no proof for root."""
    prefix = sudo_words(sudo or True)
    if prefix[:1] == ["sudo"] and not sys.stdin.isatty():
        prefix.insert(1, "-n")  # nobody is there to type a password
    command = [*prefix, os.path.realpath(sys.argv[0]), *words]
    way_out = f"run this as the owner of process {pid}, or as root"
    try:
        status = subprocess.run(command).returncode
    except OSError as error:
        raise ProcessError(f"{command[0]}: {error.strerror}; {way_out}") from None
    if status != 0:
        raise ProcessError(f"{shlex.join(command)} failed; {way_out}")
    return status


def run_as(uid: int, words: List[str]) -> int:
    """Runs m2sh with these words as another user than root; its status. In a session of its own,
    since whoever shares root's terminal can type there."""
    group, groups = uid, []
    try:
        user = pwd.getpwuid(uid)
        group, groups = user.pw_gid, os.getgrouplist(user.pw_name, user.pw_gid)
    except KeyError:  # a user without a name, as in some containers
        pass
    command = [sys.executable, os.path.realpath(sys.argv[0]), *words]
    sys.stdout.flush()
    try:
        return subprocess.run(command, user=uid, group=group, extra_groups=groups,
                              start_new_session=True).returncode
    except OSError as error:
        raise ProcessError(f"m2sh cannot be run as uid {uid}: {error.strerror}; run it as that "
                           "user") from None


def program() -> str:
    """The server to start: $MONGREL2_BIN; else the one built in this checkout or installed with
    this m2sh; else what the PATH has."""
    chosen = os.environ.get("MONGREL2_BIN")
    if chosen:
        found = shutil.which(chosen)
        if not found:
            raise ProcessError(f"MONGREL2_BIN={chosen} is not a program")
        return os.path.abspath(found)
    script = os.path.dirname(os.path.realpath(sys.argv[0]))
    checkout = os.path.dirname(script)
    places = [os.path.join(checkout, "build", "mongrel2"), os.path.join(script, "mongrel2")]
    for place in places:
        if os.path.isfile(place) and os.access(place, os.X_OK):
            return place
    found = shutil.which("mongrel2")
    if not found:
        raise ProcessError("There is no program mongrel2: run make, or make install, or set "
                           "MONGREL2_BIN to where it is")
    return found
