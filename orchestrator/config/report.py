"""Show mistakes in ``environments.toml`` with their place, their line and a caret."""

import unicodedata
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate, islice
from pathlib import Path

from orchestrator.config.masking import MASK, masked, secret_stretches
from orchestrator.config.problems import Problem

_WIDTH = 100
_BEFORE = 40


class Source:
    """The text of a file, and how mistakes in it are shown. No secret of the file is."""

    def __init__(self, path: Path, text: str) -> None:
        self.name = shown_path(path)
        self.text = text
        self._lines = text.split("\n")
        self._offsets = [0, *accumulate(len(line) + 1 for line in self._lines)]
        self._hidden = secret_stretches(text)

    def report(self, problems: Sequence[Problem]) -> str:
        """Return one message with every mistake, in the order of the file."""
        # Imported only here: a valid file costs no parser.
        from orchestrator.config.positions import Positions

        positions = Positions(self.text)
        found = {(positions.find(p.at, on_key=p.on_key), p.message, p.hint) for p in problems}
        placed = sorted(found, key=lambda f: (f[0].line, f[0].column, f[1], f[2] or ""))
        blocks = [
            self.block(span.line, span.column, message, hint, span.width)
            for span, message, hint in placed
        ]
        count = [f"{len(blocks)} mistakes in {self.name}"] if len(blocks) > 1 else []
        return "\n".join([*blocks, *count])

    def block(
        self, line: int, column: int, message: str, hint: str | None = None, width: int = 1
    ) -> str:
        """Return one mistake: place, message, line, caret, and what would be right."""
        text, start, end = self._shown(line, column, width)
        lines = [f"{self.name}:{line}:{column}: {plain(masked(message))}"]
        if text.strip():
            number = f"{line:>8}"
            indent = " " * _columns(text[:start])
            lines.append(f"{number} | {text}")
            lines.append(f"{' ' * len(number)} | {indent}{'^' * max(_columns(text[start:end]), 1)}")
        if hint:
            lines.append(f"      {plain(masked(hint))}")
        return "\n".join(lines)

    def _shown(self, number: int, column: int, width: int) -> tuple[str, int, int]:
        """Return a line without its secrets, cut to fit, and where the caret starts and ends."""
        line = self._lines[number - 1].rstrip("\r")
        offset = self._offsets[number - 1]
        start, end = column - 1, column - 1 + width
        for first, last in reversed(list(self._within(offset, len(line)))):
            line = line[:first] + MASK + line[last:]
            start = _moved(start, first, last, inside=first)
            end = _moved(end, first, last, inside=first + len(MASK))
        return _cut(plain(line), start, max(end, start + 1))

    def _within(self, offset: int, length: int) -> Iterator[tuple[int, int]]:
        # They are sorted and apart: start at the first that ends within the line.
        at = bisect_right(self._hidden, offset, key=lambda stretch: stretch[1])
        for first, last in islice(self._hidden, at, None):
            if first >= offset + length:
                break
            yield max(first - offset, 0), min(last - offset, length)


def shown_path(path: Path) -> str:
    """Return ``path`` relative to the current folder where it is below it."""
    try:
        return str(path.relative_to(Path.cwd()))
    except (ValueError, OSError):
        return str(path)


def plain(text: str) -> str:
    """Return ``text`` on one line and without what could draw on a terminal."""
    return "".join(" " if c == "\t" else c if c.isprintable() else "�" for c in text)


def _moved(at: int, first: int, last: int, *, inside: int) -> int:
    """Return where a column is once ``first`` to ``last`` are masked."""
    if at <= first:
        return at
    return inside if at < last else at + len(MASK) - (last - first)


def _cut(line: str, start: int, end: int) -> tuple[str, int, int]:
    if len(line) <= _WIDTH:
        return line, start, end
    left = max(min(start - _BEFORE, len(line) - _WIDTH), 0)
    right = left + _WIDTH
    text = line[left:right]
    text = ("…" + text[1:] if left else text) + ("…" if right < len(line) else "")
    return text, start - left, min(end, right) - left


def _columns(text: str) -> int:
    """Return how many columns of a terminal ``text`` takes."""
    wide = sum(unicodedata.east_asian_width(c) in "WF" for c in text)
    return len(text) + wide - sum(unicodedata.combining(c) > 0 for c in text)
