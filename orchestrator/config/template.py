"""Text with placeholders: ``{label}`` from a target, ``${kind:body}`` from a secret store.

A template is parsed once, filled with a target's labels (pure), and resolved to plain text
only where it is used. ``str()`` of a template always shows secrets by name, never by value.
"""

import re
import shlex
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, get_args

SecretKind = Literal["env", "file", "cmd"]
SECRET_KINDS: tuple[str, ...] = get_args(SecretKind)

_RIGHT = {"env": "${env:NAME}", "file": "${file:PATH}", "cmd": "${cmd:COMMAND}"}
_LABEL = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")
_NAME_OF_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class TemplateError(ValueError):
    """The text is not a template; the message says what is wrong and what would be right."""


@dataclass(frozen=True, slots=True)
class Label:
    """A ``{name}`` that a target's label fills."""

    name: str

    def __str__(self) -> str:
        return f"{{{self.name}}}"


class Filled(str):
    """What a label was filled with inside a secret: a value, never to be split or interpreted."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Secret:
    """A ``${kind:body}``. The body may hold labels: ``${env:PASSWORD_{tenant}}``.

    ``Template.fill`` puts ``Filled`` in their place, so that what came from a label can still be
    told from what the file says.
    """

    kind: SecretKind
    body: tuple["str | Label", ...]

    def __str__(self) -> str:
        return f"${{{self.kind}:{''.join(map(str, self.body))}}}"

    @property
    def name(self) -> str:
        """The body as text: a variable's name, a path, a command."""
        return "".join(map(str, self.body))


Part = str | Label | Secret


@dataclass(frozen=True, slots=True)
class Template:
    """Literal text, labels and secrets, in order."""

    parts: tuple[Part, ...]

    def __str__(self) -> str:
        return "".join(map(str, self.parts))

    def __bool__(self) -> bool:
        return bool(self.parts)

    @property
    def labels(self) -> frozenset[str]:
        """Every label that must be filled, those inside secrets included."""
        return frozenset(part.name for part in _flatten(self.parts) if isinstance(part, Label))

    @property
    def secrets(self) -> tuple[Secret, ...]:
        """The secrets, in order of appearance."""
        return tuple(part for part in self.parts if isinstance(part, Secret))

    def fill(self, labels: Mapping[str, str]) -> "Template":
        """Put values in place of labels. Raises ``KeyError`` with a label that has none."""
        return Template(tuple(_join(_fill(part, labels) for part in self.parts)))

    def resolve(self, secret: Callable[[Secret], str]) -> str:
        """Return the text, with ``secret`` giving each secret's value. Labels must be filled."""
        return "".join(secret(p) if isinstance(p, Secret) else str(p) for p in self.parts)


def parse(text: str) -> Template:
    """Parse ``text``. Raises ``TemplateError`` for unbalanced or unknown placeholders."""
    return Template(tuple(_join(_parts(text))))


def _parts(text: str) -> Iterator[Part]:
    at = 0
    while at < len(text):
        if text.startswith("${", at):
            end = _closing(text, at)
            yield _secret(text[at + 2 : end])
            at = end + 1
        elif text[at] in "{}":
            match = _LABEL.match(text, at)
            if match is None:
                raise TemplateError(_bad_brace(text, at))
            yield Label(match[1])
            at = match.end()
        else:
            yield text[at]
            at += 1


def _closing(text: str, start: int) -> int:
    depth = 0
    for at in range(start, len(text)):
        depth += (text[at] == "{") - (text[at] == "}")
        if text[at] == "}" and depth == 0:
            return at
    raise TemplateError(f"'${{' is never closed; write {', '.join(_RIGHT.values())}")


def _secret(inside: str) -> Secret:
    kind, colon, body = inside.partition(":")
    if not colon or kind not in SECRET_KINDS:
        raise TemplateError(_unknown(inside))
    parts = tuple(_body(body))
    if not parts or (kind == "env" and not _is_variable(parts)):
        raise TemplateError(f"'${{{kind}:}}' names nothing; write {_RIGHT[kind]}")
    if kind == "cmd" and not _can_be_split(body):
        raise TemplateError("'${cmd:}' has a quote that is never closed, or no command")
    return Secret(kind, parts)  # type: ignore[arg-type]  # checked against SECRET_KINDS


def _body(body: str) -> Iterator[str | Label]:
    at = 0
    for match in _LABEL.finditer(body):
        if match.start() > at:
            yield body[at : match.start()]
        yield Label(match[1])
        at = match.end()
    if at < len(body):
        yield body[at:]


def _is_variable(parts: tuple[str | Label, ...]) -> bool:
    return bool(
        _NAME_OF_VARIABLE.fullmatch("".join(p if isinstance(p, str) else "X" for p in parts))
    )


def _can_be_split(command: str) -> bool:
    try:
        return bool(shlex.split(command))
    except ValueError:
        return False


# What is said shows nothing but names: braces may be part of somebody's password.
def _unknown(inside: str) -> str:
    if _NAME_OF_VARIABLE.fullmatch(inside):
        return f"unknown placeholder '${{{inside}}}'; write ${{env:{inside}}}"
    return f"unknown placeholder; write {', '.join(_RIGHT.values())}"


def _bad_brace(text: str, at: int) -> str:
    if text[at] == "}":
        wrong = "'}' without '{'"
    elif "}" not in text[at:]:
        wrong = "'{' is never closed"
    else:
        wrong = "a label's name has letters, digits and '_' only"
    return (
        f"{wrong}; a placeholder is written {{tenant}}, and in a URL a brace of its own %7B or %7D"
    )


def _fill(part: Part, labels: Mapping[str, str]) -> Part:
    if isinstance(part, Label):
        return labels[part.name]
    if isinstance(part, Secret):
        return Secret(part.kind, tuple(_fill_inside(piece, labels) for piece in part.body))
    return part


def _fill_inside(piece: str | Label, labels: Mapping[str, str]) -> str:
    return Filled(labels[piece.name]) if isinstance(piece, Label) else piece


def _join(parts: Iterator[Part]) -> Iterator[Part]:
    """Merge neighbouring literals, so that equal templates compare equal."""
    text = ""
    for part in parts:
        if isinstance(part, str):
            text += part
            continue
        if text:
            yield text
            text = ""
        yield part
    if text:
        yield text


def _flatten(parts: tuple[Part, ...]) -> Iterator[Part]:
    for part in parts:
        yield part
        if isinstance(part, Secret):
            yield from part.body
