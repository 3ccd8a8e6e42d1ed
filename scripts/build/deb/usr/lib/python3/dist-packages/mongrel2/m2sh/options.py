"""`COMMAND -option value -flag`, in the manner of the manual: one dash or more, no order, no `=`.

A command declares its options; whatever it did not declare is refused. Knows no command by name.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from typing import Any, Callable, Dict, List, Optional


class UsageError(Exception):
    """m2sh was called in a way that cannot be meant. The message says what would be right."""


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

    def __init__(self, given: Dict[str, Any], line: str, interactive: bool) -> None:
        self._given = given
        self.line = line  # the whole command, for the history
        self.interactive = interactive  # inside the shell, which must survive the command

    def __getattr__(self, name: str) -> Any:
        return self._given.get(name)

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


def parse(command: Command, words: List[str], line: str, interactive: bool) -> Options:
    """The options in words, checked against what the command takes."""
    known = {option.name: option for option in command.options}
    given: Dict[str, Any] = {}
    rest = list(words)
    while rest:
        word = rest.pop(0)
        name = word.lstrip("-")
        if not word.startswith("-"):
            raise UsageError(f"m2sh {command.name}: {word!r} is no option; they begin with a dash.")
        if name not in known:
            raise UsageError(f"m2sh {command.name} has no option -{name}. {_choice(command)}")
        if name in given:
            raise UsageError(f"Option -{name} is given twice.")
        given[name] = _value_of(known[name], rest, known)
    for option in command.options:
        if option.name not in given:
            _add_default(option, given)
    return Options(given, line, interactive)


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
    """The text of `m2sh help -for COMMAND`."""
    lines = [f"m2sh {command.name}", "", f"    {command.help}"]
    if command.options:
        lines.append("")
    for option in command.options:
        word = {"value": " X", "flag": "", "either": " [X]"}[option.kind]
        need = " (required)" if option.required else ""
        lines.append(f"    {'-' + option.name + word:<14} {option.help}{need}")
    return "\n".join(lines)


def find(commands: Dict[str, Command], name: str) -> Optional[Command]:
    return commands.get(name.lstrip("-"))
