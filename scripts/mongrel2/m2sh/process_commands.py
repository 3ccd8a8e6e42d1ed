"""The commands that start, stop, reload and look for servers (manual 3.2, 3.9)."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from typing import Any, Callable, List, NoReturn, Optional

from mongrel2 import db
from mongrel2.m2sh import control_command, history, process, running, select
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
    for server in servers:
        history.record(options, server)
    if len(servers) == 1 and not options.interactive:
        _announce(servers[0])
        _become(commands[0])
    if detaches and (sudo or os.geteuid() == 0):
        # Into the background: each one returns once it serves, or has failed; the others go on.
        status = 0
        for server, command in zip(servers, commands):
            _announce(server)
            if _run_all([command]) != 0:
                print(f"Server {select.short_title(server)} is NOT started", file=sys.stderr)
                status = 1
        return status
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

    def tell(server: db.Row, found: running.Found) -> int:
        if found.stops and not options.murder:  # told twice it would not wait for anything
            print(f"Server {select.short_title(server)} at PID {found.pid} stops already")
        else:
            _signal(options, server, found, number)
        return 0

    def wait(server: db.Row, found: running.Found) -> int:
        name = select.short_title(server)
        if found.ends_within(seconds):
            print(f"Stopped server {name} at PID {found.pid}")
            return 0
        print(f"Server {name} still RUNNING at PID {found.pid} after {seconds} seconds; wait "
              "longer with -wait SECONDS, or use -murder to stop it now")
        return 1

    return _for_each_running(options, "stopped", tell, wait)


def _reload(options: Options) -> int:
    def tell(server: db.Row, found: running.Found) -> int:
        _refuse_if_it_stops(server, found)
        before = running.verdict(server, options.db)
        _signal(options, server, found, signal.SIGHUP)
        if before is None:  # it has no place for its verdicts
            name = f"{select.short_title(server)} at PID {found.pid}"
            print(f"Reloading server {name}, its error log says how it went")
            return 0
        return _say_verdict(options, server, found, before, "reload")

    return _for_each_running(options, "reloaded", tell)


def _upgrade(options: Options) -> int:
    def tell(server: db.Row, found: running.Found) -> int:
        _refuse_if_it_stops(server, found)
        before = running.verdict(server, options.db)
        if before is None:  # the signal would end a Mongrel2 that does not know it
            raise process.ProcessError(
                f"Server {select.short_title(server)} at PID {found.pid} leaves no verdicts beside "
                "its pid file, so it may not know upgrades; stop and start it instead")
        _signal(options, server, found, signal.SIGUSR2)
        return _say_verdict(options, server, found, before, "upgrade")

    return _for_each_running(options, "upgraded", tell)


def _refuse_if_it_stops(server: db.Row, found: running.Found) -> None:
    if found.stops:
        raise process.ProcessError(f"Server {select.short_title(server)} at PID {found.pid} is "
                                   "stopping; start it again when it has ended")


def _say_verdict(options: Options, server: db.Row, found: running.Found, before: running.Verdict,
                 what: str) -> int:
    """Waits for what comes of a reload or an upgrade, and says it."""
    seconds = options.number("wait", _RELOAD_SECONDS)
    name = f"{select.short_title(server)} at PID {found.pid}"
    about = "upgrade" if what == "upgrade" else ""
    after = running.wait_for_verdict(server, options.db, found, before, seconds, about)
    if after is None:
        how = "has ended meanwhile" if found.ends_within(0) else (
            "is stopping now" if found.stops else f"has not finished its {what} after {seconds} "
            "seconds; its error log says more, -wait waits longer")
        raise process.ProcessError(f"Server {name} {how}")
    if not after.ok:
        raise process.ProcessError(f"Server {name} goes on as before: {after.text}")
    print(f"{'Upgraded' if what == 'upgrade' else 'Reloaded'} server {name}: {after.text}")
    return 0


def _reopen(options: Options) -> int:
    def tell(server: db.Row, found: running.Found) -> int:
        found.signal(signal.SIGUSR1)
        print(f"Server {select.short_title(server)} at PID {found.pid} opens its logs again")
        return 0

    return _for_each_running(options, "told", tell)


def _running(options: Options) -> int:
    def tell(server: db.Row, found: running.Found) -> int:
        print(f"Found server {select.short_title(server)} RUNNING at PID {found.pid}")
        return 0

    return _for_each_running(options, "found", tell)


def _signal(options: Options, server: db.Row, found: running.Found,
            number: signal.Signals) -> None:
    """Tells a server something: by a signal, or where that is not permitted, by its control port,
    which its owner may use."""
    try:
        found.signal(number)
    except running.NotPermitted:
        words = {signal.SIGINT: "stop", signal.SIGHUP: "reload"}.get(number)
        if words is None or not control_command.say(options.db, server, words):
            raise
    history.record(options, server)


def _for_each_running(options: Options, done: str,
                      *steps: Callable[[db.Row, running.Found], int]) -> int:
    """Takes each chosen server that runs through the steps, each step with all of them; says which
    do not run. 0 if all did and all went well."""
    with db.Database(options.db) as database:
        servers = select.chosen(database, options, done)
    status = 0 if servers else 1
    with contextlib.ExitStack() as held:
        left = [(server, held.enter_context(running.find(server, options.db)))
                for server in servers]
        for step in steps:
            gone_well = []
            for server, found in left:
                try:
                    its_status = _take(options, server, found, step)
                except process.ProcessError as error:
                    print(error, file=sys.stderr)
                    its_status = 1
                if its_status == 0:
                    gone_well.append((server, found))
                status = max(status, its_status or 0)
            left = gone_well
    return status


def _take(options: Options, server: db.Row, found: running.Found,
          step: Callable[[db.Row, running.Found], int]) -> Optional[int]:
    """One step with one server; None if somebody else has taken all of them."""
    if not found.pid:
        print(found.why)
        return 1
    if not process.sudo_words(options.sudo):
        try:
            return step(server, found)
        except running.NotPermitted as error:
            print(f"{error}, asking sudo.", flush=True)
    words = options.words(without=("sudo", "every", "name", "host", "uuid"))
    process.run_again(options.sudo, [*words, "-uuid", str(server["uuid"])], found.pid)
    return None


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
    Command("reopen", "Has running servers open their log files again, after these were renamed.",
            [*_MANY, _SUDO], _reopen),
    Command("running", "Tells which servers run.", _MANY, _running),
    Command("check", "Has the server read the database and print all that is wrong with it.",
            _MANY, _check),
]
