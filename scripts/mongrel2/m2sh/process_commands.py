"""The commands that start, stop, reload and look for servers (manual 3.2, 3.9)."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import Any, Callable, List, NoReturn, Tuple

from mongrel2 import db
from mongrel2.m2sh import process, select
from mongrel2.m2sh.options import Command, Options, either, flag, value
from mongrel2.m2sh.store_commands import DB

# How long stop waits if -wait does not say. A graceful stop lets requests in flight finish.
_STOP_SECONDS = 60
# How long reload waits for the verdict: longer than reading and reload.prepare_ms usually take.
_RELOAD_SECONDS = 60


def _start(options: Options) -> int:
    with db.Database(options.db) as database:
        servers = select.chosen(database, options, "launched")
        detaches = database.setting("server.daemonize") != "0"
    if not servers:
        return 1
    program = process.program()
    sudo = process.sudo_words(options.sudo)
    commands = [sudo + [program, options.db, server["uuid"]] for server in servers]
    if len(servers) == 1 and not options.interactive:
        _announce(servers[0])
        _become(commands[0])
    if detaches and (sudo or os.geteuid() == 0):
        # Into the background: each one returns once it serves, or has failed.
        for server, command in zip(servers, commands):
            _announce(server)
            if _run_all([command]) != 0:
                return 1
        return 0
    for server in servers:
        _announce(server)
    return _run_all(commands)


def _announce(server: db.Row) -> None:
    print(f"Launching server {select.short_title(server)} on port {server['port']}", flush=True)


def _become(command: List[str]) -> NoReturn:
    """Turns into the server: then signals and its exit status need nobody in between."""
    try:
        os.execvp(command[0], command)
    except OSError as error:
        raise process.ProcessError(f"{command[0]}: {error.strerror}") from None


def _run_all(commands: List[List[str]]) -> int:
    """Runs programs in the foreground until all have ended: 0 if each of them says so.

    Ctrl-C reaches them from the terminal; other signals that mean them are passed on.
    """
    running: List[subprocess.Popen] = []

    def pass_on(number: int, _: Any) -> None:
        for child in running:
            child.send_signal(number)

    before = {number: signal.signal(number, pass_on) for number in (signal.SIGTERM, signal.SIGHUP)}
    before[signal.SIGINT] = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        # One that comes while they are being started waits until all are there to hear of it.
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGTERM, signal.SIGHUP))

        def as_before() -> None:
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)

        try:
            for command in commands:
                running.append(subprocess.Popen(command, preexec_fn=as_before))
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        return max(min(1, abs(child.wait())) for child in running)
    except OSError as error:
        pass_on(signal.SIGTERM, None)
        raise process.ProcessError(f"{commands[0][0]}: {error.strerror}") from None
    finally:
        for number, action in before.items():
            signal.signal(number, action)


def _stop(options: Options) -> int:
    number = signal.SIGQUIT if options.murder else signal.SIGINT
    seconds = options.number("wait", _STOP_SECONDS)
    signalled: List[Tuple[db.Row, int]] = []

    def tell(server: db.Row, found: process.Found) -> None:
        process.send(found.pid, number, options.sudo)
        signalled.append((server, found.pid))

    status = _for_each_running(options, "stopped", tell)
    for server, pid in signalled:
        name = select.short_title(server)
        if process.wait_until_gone(pid, seconds):
            print(f"Stopped server {name} at PID {pid}")
        else:
            print(f"Server {name} still RUNNING at PID {pid} after {seconds} seconds; wait longer "
                  "with -wait SECONDS, or use -murder to stop it now")
            status = 1
    return status


def _reload(options: Options) -> int:
    seconds = options.number("wait", _RELOAD_SECONDS)

    def tell(server: db.Row, found: process.Found) -> None:
        before = process.verdict(server)
        process.send(found.pid, signal.SIGHUP, options.sudo)
        name = f"{select.short_title(server)} at PID {found.pid}"
        if before is None:  # it has no place for its verdicts, or is a Mongrel2 of 1.x
            print(f"Reloading server {name}, its error log says how it went")
            return
        after = process.wait_for_verdict(server, before, seconds)
        if after is None:
            raise process.ProcessError(f"Server {name} has not finished its reload after {seconds} "
                                       "seconds; its error log says more, -wait waits longer")
        if not after.ok:
            raise process.ProcessError(f"Server {name} goes on as before: {after.text}")
        print(f"Reloaded server {name}: {after.text}")

    return _for_each_running(options, "reloaded", tell)


def _upgrade(options: Options) -> int:
    seconds = options.number("wait", _RELOAD_SECONDS)

    def tell(server: db.Row, found: process.Found) -> None:
        before = process.verdict(server)
        name = f"{select.short_title(server)} at PID {found.pid}"
        if before is None:  # the signal would end a Mongrel2 that does not know it
            raise process.ProcessError(f"Server {name} leaves no verdicts beside its pid file, so "
                                       "it may not know upgrades; stop and start it instead")
        process.send(found.pid, signal.SIGUSR2, options.sudo)
        after = process.wait_for_verdict(server, before, seconds, about="upgrade")
        if after is None:
            raise process.ProcessError(f"Server {name} has not finished its upgrade after "
                                       f"{seconds} seconds; its error log says more, -wait waits "
                                       "longer")
        if not after.ok:
            raise process.ProcessError(f"Server {name} goes on as before: {after.text}")
        print(f"Upgraded server {name}: {after.text}")

    return _for_each_running(options, "upgraded", tell)


def _running(options: Options) -> int:
    def tell(server: db.Row, found: process.Found) -> None:
        print(f"Found server {select.short_title(server)} RUNNING at PID {found.pid}")

    return _for_each_running(options, "found", tell)


def _for_each_running(options: Options, done: str,
                      act: Callable[[db.Row, process.Found], None]) -> int:
    """Acts on each chosen server that runs, says which do not; 0 if all did and all went well."""
    with db.Database(options.db) as database:
        servers = select.chosen(database, options, done)
    status = 0 if servers else 1
    for server in servers:
        found = process.find(server)
        name = select.short_title(server)
        if found.running:
            try:
                act(server, found)
                continue
            except process.ProcessError as error:
                print(error, file=sys.stderr)
        elif not found.pid:
            print(f"PID file {found.path} not found for server {name}")
        else:
            print(f"Server {name} NOT RUNNING at PID {found.pid}")
        status = 1
    return status


def _check(options: Options) -> int:
    with db.Database(options.db) as database:
        if options.every or not (options.uuid or options.name or options.host):
            servers = database.servers()
            if not servers:
                print(f"{options.db} has no server; m2sh load -db {options.db} -config FILE")
        else:
            servers = select.chosen(database, options, "checked")
    if not servers:
        return 1
    program = process.program()
    sys.stdout.flush()
    # One after the other, so that what they print does not mix; each of them, whatever it says.
    return max([_run_all([[program, "--check", options.db, server["uuid"]]]) for server in servers])


_MANY = [DB, *select.ONE, select.EVERY]
_SUDO = either("sudo", "use sudo, or the command X")

COMMANDS = [
    Command("start", "Starts servers: as an ordinary user in the foreground, as root in the "
            "background.", [*_MANY, _SUDO], _start),
    Command("stop", "Stops servers once what they are doing is done, and waits for that.",
            [*_MANY, flag("murder", "at once"), _SUDO,
             value("wait", f"how many seconds to wait, {_STOP_SECONDS} if not given")], _stop),
    Command("reload", "Has servers read their configuration again, without losing a connection, "
            "and says what came of it.",
            [*_MANY, _SUDO, value("wait", "how many seconds to wait for that, "
                                  f"{_RELOAD_SECONDS} if not given")], _reload),
    Command("upgrade", "Has the program that is installed now take the place of running servers, "
            "without losing a connection, and says what came of it.",
            [*_MANY, _SUDO, value("wait", "how many seconds to wait for that, "
                                  f"{_RELOAD_SECONDS} if not given")], _upgrade),
    Command("running", "Tells which servers run.", _MANY, _running),
    Command("check", "Has the server read the database and print all that is wrong with it.",
            _MANY, _check),
]
