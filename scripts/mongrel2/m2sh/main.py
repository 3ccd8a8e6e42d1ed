"""From the words of a command line to the command that they name, and to an exit status: 0, 1, or 2
where the words cannot be meant.

Also the interactive shell, which runs the same commands line by line. Called by scripts/m2sh.
"""

from __future__ import annotations

import shlex
import sys
from typing import Dict, List

from mongrel2.config import ConfigError
from mongrel2.db import DatabaseError
from mongrel2.folder import FolderError
from mongrel2.m2sh import (control_command, jail_command, output, process_commands,
                           store_commands)
from mongrel2.m2sh.checker import Refused
from mongrel2.m2sh.options import (Command, HelpWanted, Options, UsageError, describe, find, parse,
                                   value)
from mongrel2.m2sh.process import ProcessError
from mongrel2.suggest import did_you_mean

PROMPT = "m2> "


def main(words: List[str]) -> int:
    """Runs what words say; without words, the shell."""
    output.open_closed_streams()
    sys.stdout, sys.stderr = output.Output(sys.stdout), output.Output(sys.stderr)
    line = " ".join(["m2sh"] + words)
    try:
        status = (_run(words, line, interactive=False) if words
                  else _shell(Options("shell", {}, line, True)))
    except KeyboardInterrupt:
        status = 130
    sys.stdout.flush()
    fault = sys.stdout.fault
    if fault is not None and not isinstance(fault, BrokenPipeError):  # m2sh log | head
        print(f"m2sh: standard output: {fault.strerror}", file=sys.stderr)
    return status if fault is None else status or 1


def _run(words: List[str], line: str, interactive: bool) -> int:
    try:
        command = find(COMMANDS, words[0])
        if command is None:
            names = " ".join(sorted(COMMANDS))
            raise UsageError(f"You must specify a valid command.  Try these: {names}."
                             + did_you_mean(words[0].lstrip("-"), COMMANDS))
        return command.run(parse(command, words[1:], line, interactive))
    except HelpWanted:
        print(describe(command))
        return 0
    except UsageError as error:
        print(error, file=sys.stderr)
        return 2
    except (ConfigError, DatabaseError, ProcessError, FolderError, Refused) as error:
        print(error, file=sys.stderr)
        return 1
    except OSError as error:
        name = f"{error.filename}: " if error.filename else ""
        print(f"m2sh: {name}{error.strerror or error}", file=sys.stderr)
        return 1


def _shell(_: Options) -> int:
    try:
        import readline  # noqa: F401  (line editing, where Python has it)
    except ImportError:
        pass
    status = 0
    while True:
        try:
            line = input(PROMPT)
        except EOFError:
            print()
            return status
        except KeyboardInterrupt:
            print()
            continue
        try:
            words = shlex.split(line)
        except ValueError as error:
            print(f"{line!r}: {error}", file=sys.stderr)
            continue
        if not words:
            continue
        if words[0] in ("exit", "quit"):
            return status
        if words[0].lstrip("-") == "shell":
            continue
        try:
            status = _run(words, "m2sh " + line, interactive=True)
        except KeyboardInterrupt:
            print()
            status = 130


def _help(options: Options) -> int:
    name = options.on if getattr(options, "for") is None else getattr(options, "for")
    if name is None:
        print("Available commands:\n")
        for each in sorted(COMMANDS):
            print(f"{each:9}{COMMANDS[each].summary}")
        print("\nUse m2sh help <command> to find out more.")
        return 0
    command = find(COMMANDS, name)
    if command is None:
        raise UsageError(f"No help for {name}. Use m2sh help to see a list."
                         + did_you_mean(name, COMMANDS))
    print(describe(command))
    return 0


COMMANDS: Dict[str, Command] = {
    command.name: command
    for command in [
        *store_commands.COMMANDS,
        *process_commands.COMMANDS,
        *jail_command.COMMANDS,
        *control_command.COMMANDS,
        Command("shell", "Reads commands from the terminal, one a line. It is also what m2sh "
                "does when it is called with nothing.", [], _shell),
        Command("help", "Lists the commands, or explains one of them.",
                [value("for", "the command to explain"), value("on", "the same, as in 1.x")],
                _help, bare="for"),
    ]
}
