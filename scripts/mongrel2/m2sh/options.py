"""`COMMAND -option value -flag`, in the manner of the manual: one dash or more, in any order; or as
GNU has it, `--option=value`.

A command declares its options; whatever it did not declare is refused. Knows no command by name.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from typing import Any, Callable, Dict, Iterable, List, Optional

from mongrel2.suggest import did_you_mean

# Asked for behind a command, these explain it.
_HELP = ("-h", "-help", "--help")


class UsageError(Exception):
    """m2sh was called in a way that cannot be meant. The message says what would be right."""


class HelpWanted(Exception):
    """Somebody asks what a command is for."""


@dataclass(frozen=True)
class Option:
    name: str
    kind: str  # value: one word follows; flag: none; either: one may follow
    help: str
    required: bool = False
    # The value when the option is not given, if a file of that name exists (as in 1.x).
    default_file: str = ""


def value(name: str, help: str, required: bool = False, default_file: str = "") -> Option:
    return Option(name, "value", help, required, default_file)


def flag(name: str, help: str) -> Option:
    return Option(name, "flag", help)


def either(name: str, help: str) -> Option:
    return Option(name, "either", help)


class Options:
    """What was given, as attributes: text, True for a flag or a bare word, None if absent."""

    def __init__(self, command: str, given: Dict[str, Any], line: str, interactive: bool) -> None:
        self.command = command
        self._given = given
        self.line = line  # the whole command, for the history
        self.interactive = interactive  # inside the shell, which must survive the command

    def __getattr__(self, name: str) -> Any:
        return self._given.get(name)

    def words(self, without: Iterable[str]) -> List[str]:
        """The command as words again, but for some options."""
        words = [self.command]
        for name, given in self._given.items():
            if name not in without:
                words += [f"-{name}"] if given is True else [f"-{name}", given]
        return words

    def number(self, name: str, default: int) -> int:
        text = self._given.get(name)
        if text is None:
            return default
        if not text.isdigit() or len(text) > 9:
            raise UsageError(f"Option -{name} needs a whole number, not {text!r}.")
        return int(text)


@dataclass(frozen=True)
class Command:
    name: str
    help: str
    options: List[Option]
    run: Callable[[Options], int]
    bare: str = ""  # the option that a word without a dash is for

    @property
    def summary(self) -> str:
        """What fits into a list."""
        return min((self.help.partition(mark)[0] for mark in (": ", "; ", ", ", ". ")),
                   key=len).rstrip(".")


def parse(command: Command, words: List[str], line: str, interactive: bool) -> Options:
    """The options in words, checked against what the command takes."""
    known = {option.name: option for option in command.options}
    given: Dict[str, Any] = {}
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if word in _HELP:
            raise HelpWanted
        name, equals, attached = word.lstrip("-").partition("=")
        if not word.startswith("-") and command.bare and command.bare not in given:
            name, equals, attached = command.bare, "=", word
        elif not word.startswith("-"):
            raise UsageError(f"m2sh {command.name}: {word!r} is no option; they begin with a dash.")
        if name not in known:
            raise UsageError(f"m2sh {command.name} has no option -{name}. {_choice(command)}"
                             + did_you_mean(name, [*known, "help"], "-"))
        if name in given:
            raise UsageError(f"Option -{name} is given twice.")
        if equals and known[name].kind == "flag":
            raise UsageError(f"Option -{name} takes no value.")
        given[name] = attached if equals else _value_of(known[name], rest, known)
    for option in command.options:
        if option.name not in given:
            _add_default(option, given)
    return Options(command.name, given, line, interactive)


def _value_of(option: Option, rest: List[str], known: Dict[str, Option]) -> Any:
    """Takes the option's word, if it has one, off the rest."""
    # A value may begin with a dash as long as it is not itself an option of this command.
    follows = bool(rest) and not (rest[0].startswith("-") and rest[0].lstrip("-") in known)
    if option.kind == "flag":
        return True
    if option.kind == "either":
        return rest.pop(0) if follows and not rest[0].startswith("-") else True
    if not follows:
        raise UsageError(f"Option -{option.name} needs a value: {option.help}.")
    return rest.pop(0)


def _add_default(option: Option, given: Dict[str, Any]) -> None:
    if option.default_file and os.path.exists(option.default_file):
        given[option.name] = option.default_file
        print(f'No option --{option.name} given, using "{option.default_file}" as the default.',
              file=sys.stderr)
    elif option.required:
        raise UsageError(f"Option -{option.name} is required by this command.")


def _choice(command: Command) -> str:
    if not command.options:
        return "It has none."
    return "It has " + " ".join(f"-{option.name}" for option in command.options) + "."


def describe(command: Command) -> str:
    """The text of `m2sh help COMMAND`."""
    lines = [f"m2sh {command.name}", "", f"    {command.help}"]
    if command.options:
        lines.append("")
    for option in command.options:
        word = {"value": " X", "flag": "", "either": " [X]"}[option.kind]
        need = " (required)" if option.required else ""
        lines.append(f"    {'-' + option.name + word:<14} {option.help}{need}")
    return "\n".join(lines)


def find(commands: Dict[str, Command], name: str) -> Optional[Command]:
    return commands.get("help" if name in _HELP else name.lstrip("-"))
