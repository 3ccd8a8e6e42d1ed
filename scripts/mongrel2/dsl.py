"""The configuration language of Mongrel2 1.x: `name = value`, read without running anything.

Values are strings, whole numbers, lists, {'key': value} hashes, Class(key=value) objects and names
of other variables, defined before or after. Commas are optional, `#` begins a comment. The result
is the same Commit that a Python file makes; every message has line and column. Called by loader.py.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass, fields
from typing import Any, Dict, List, NoReturn, Tuple

from mongrel2 import config

CLASSES = {
    kind.__name__: kind
    for kind in (config.Server, config.Listener, config.Host, config.Dir, config.Proxy,
                 config.Handler, config.Filter, config.Xrequest)
}
# Fields of the Python classes that the language does not have.
_PYTHON_ONLY = {"server"}
MAX_DEPTH = 50
MAX_DIGITS = 18

# A backslash stays in the value, and keeps the quote behind it from ending the string.
_TOKEN = re.compile(
    r"""(?P<space>[\s,]+|\#[^\n]*)
      | (?P<string>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")
      | (?P<number>[0-9]+(?![A-Za-z_0-9]))
      | (?P<name>[A-Za-z_][A-Za-z_0-9]*)
      | (?P<sign>[=:()\[\]{}])""",
    re.VERBOSE | re.DOTALL,
)


class SyntaxFault(config.ConfigError):
    """A ConfigError that knows the place: FILE:LINE:COLUMN, the line, and a caret below."""


@dataclass(frozen=True)
class Token:
    kind: str  # string, number, name, sign or end
    text: str
    at: int  # offset in the source


@dataclass(frozen=True)
class Node:
    """A value as written: kind is string, number, list, hash, object or reference."""

    kind: str
    value: Any
    at: int


def read(text: str, path: str) -> config.Commit:
    """What the text says. path is for messages only."""
    variables = _Parser(text, path).variables()
    return _Evaluator(text, path, variables).commit()


class _Source:
    """Text that can point at a place in itself."""

    def __init__(self, text: str, path: str) -> None:
        self.text, self.path = text, path

    def fail(self, at: int, message: str) -> NoReturn:
        raise SyntaxFault(self._pointing_at(at, message))

    def warn(self, at: int, message: str) -> None:
        print("warning: " + self._pointing_at(at, message), file=sys.stderr)

    def _pointing_at(self, at: int, message: str) -> str:
        begin = self.text.rfind("\n", 0, at) + 1
        end = self.text.find("\n", at)
        line = self.text[begin : end if end >= 0 else len(self.text)]
        row, column = self.text.count("\n", 0, at) + 1, at - begin + 1
        # Tabs are kept in front of the caret, so that it stands below its character.
        pad = re.sub(r"[^\t]", " ", line[: column - 1])
        return f"{self.path}:{row}:{column}: {message}\n  {line}\n  {pad}^"


class _Parser(_Source):
    """Text to the table of variables, by recursive descent."""

    def __init__(self, text: str, path: str) -> None:
        super().__init__(text, path)
        self._tokens = self._split()
        self._next = 0
        self._open: List[Token] = []

    def variables(self) -> Dict[str, Node]:
        table: Dict[str, Node] = {}
        while self._peek().kind != "end":
            name = self._take("name", "the name of a variable")
            self._take("=", f"'=' after {name.text}")
            table[name.text] = self._value()
        return table

    def _split(self) -> List[Token]:
        tokens, at = [], 0
        while at < len(self.text):
            match = _TOKEN.match(self.text, at)
            if match is None:
                if self.text[at] in "'\"":
                    self.fail(at, "this string never ends")
                self.fail(at, f"unexpected character {self.text[at]!r}")
            if match.lastgroup != "space":
                tokens.append(Token(str(match.lastgroup), match.group(), at))
            at = match.end()
        tokens.append(Token("end", "", len(self.text)))
        return tokens

    def _peek(self) -> Token:
        return self._tokens[self._next]

    def _take(self, wanted: str, meaning: str) -> Token:
        token = self._peek()
        if token.kind != wanted and not (token.kind == "sign" and token.text == wanted):
            self._fail_at(token, meaning)
        self._next += 1
        return token

    def _fail_at(self, token: Token, meaning: str) -> NoReturn:
        if token.kind != "end":
            self.fail(token.at, f"expected {meaning}, found {token.text!r}")
        if self._open:
            opener = self._open[-1]
            self.fail(opener.at, f"this {opener.text!r} is never closed")
        self.fail(token.at, f"expected {meaning}, found the end of the file")

    def _at_sign(self, sign: str) -> bool:
        token = self._peek()
        return token.kind == "sign" and token.text == sign

    def _enter(self, sign: str) -> None:
        self._open.append(self._take(sign, f"'{sign}'"))
        if len(self._open) > MAX_DEPTH:
            self.fail(self._open[-1].at, f"nested deeper than {MAX_DEPTH} levels")

    def _leave(self, sign: str) -> None:
        self._take(sign, f"'{sign}'")
        self._open.pop()

    def _value(self) -> Node:
        token = self._peek()
        if token.kind == "string":
            self._next += 1
            return Node("string", token.text[1:-1], token.at)
        if token.kind == "number":
            if len(token.text) > MAX_DIGITS:
                self.fail(token.at, f"a number has at most {MAX_DIGITS} digits")
            self._next += 1
            return Node("number", int(token.text), token.at)
        if token.kind == "name":
            self._next += 1
            if self._at_sign("("):
                return self._object(token)
            return Node("reference", token.text, token.at)
        if self._at_sign("["):
            return self._list()
        if self._at_sign("{"):
            return self._hash()
        self._fail_at(token, "a value")

    def _list(self) -> Node:
        at = self._peek().at
        self._enter("[")
        items = []
        while not self._at_sign("]"):
            items.append(self._value())
        self._leave("]")
        return Node("list", items, at)

    def _hash(self) -> Node:
        at = self._peek().at
        self._enter("{")
        pairs: List[Tuple[str, Node]] = []
        while not self._at_sign("}"):
            key = self._take("string", "a key in quotes, or '}'")
            self._take(":", f"':' after {key.text}")
            pairs.append((key.text[1:-1], self._value()))
        self._leave("}")
        return Node("hash", pairs, at)

    def _object(self, name: Token) -> Node:
        self._enter("(")
        values: Dict[str, Node] = {}
        while not self._at_sign(")"):
            key = self._take("name", "key=value, or ')'")
            if key.text in values:
                self.fail(key.at, f"{key.text} is given twice")
            self._take("=", f"'=' after {key.text}")
            values[key.text] = self._value()
        self._leave(")")
        return Node("object", (name.text, values), name.at)


class _Evaluator(_Source):
    """The table of variables to objects. A variable is made once, however often it is named."""

    def __init__(self, text: str, path: str, variables: Dict[str, Node]) -> None:
        super().__init__(text, path)
        self._variables = variables
        self._made: Dict[str, Any] = {}
        self._making: List[str] = []

    def commit(self) -> config.Commit:
        if "servers" not in self._variables:
            raise SyntaxFault(f"{self.path}: there is no servers = [...] to say what to load")
        # Variables that nothing uses are made too: a mistake in one of them is still a mistake.
        for name, node in self._variables.items():
            self._variable(name, node.at)
        result = config.Commit()
        for name in ("servers", "settings", "mimetypes"):
            if name not in self._variables:
                continue
            given = {"servers": [], "settings": None, "mimetypes": None, name: self._made[name]}
            try:
                result.add(**given)
            except config.ConfigError as error:
                self.fail(self._variables[name].at, str(error))
        return result

    def _variable(self, name: str, at: int) -> Any:
        if name in self._made:
            return self._made[name]
        if name not in self._variables:
            self.fail(at, f"there is no variable named {name}")
        if name in self._making:
            self.fail(at, f"the variable {name} is made of itself")
        if len(self._making) >= MAX_DEPTH:
            self.fail(at, f"variables refer to each other over more than {MAX_DEPTH} steps")
        self._making.append(name)
        self._made[name] = self._evaluate(self._variables[name])
        self._making.pop()
        return self._made[name]

    def _evaluate(self, node: Node) -> Any:
        if node.kind == "reference":
            return self._variable(node.value, node.at)
        if node.kind == "list":
            return [self._evaluate(item) for item in node.value]
        if node.kind == "hash":
            return {key: self._evaluate(item) for key, item in node.value}
        if node.kind == "object":
            return self._make(node)
        return node.value

    def _make(self, node: Node) -> Any:
        name, values = node.value
        kind = CLASSES.get(name)
        if kind is None:
            self.fail(node.at, f"there is no {name}(...); there are {', '.join(CLASSES)}")
        known = [spec.name for spec in fields(kind) if spec.name not in _PYTHON_ONLY]
        for key, value in values.items():
            if key not in known:
                self.warn(value.at, f"{name} has no {key}, which is ignored; it has "
                                    f"{', '.join(known)}")
        # What is ignored is evaluated all the same: a mistake in it is still a mistake.
        arguments = {key: self._evaluate(value) for key, value in values.items()}
        arguments = {key: value for key, value in arguments.items() if key in known}
        if kind is config.Server:
            arguments.setdefault("chroot", "")  # in 1.x: paths as they are
        try:
            return kind(**arguments)
        except config.ConfigError as error:
            self.fail(node.at, str(error))
        except TypeError as error:  # a required field is missing: Python says which
            missing = re.findall(r"'(\w+)'", str(error))
            self.fail(node.at, f"{name} needs {' and '.join(missing)}")
