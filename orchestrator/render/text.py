"""Small pieces of text that several results share."""

import re
from collections.abc import Iterable, Mapping, Sequence

from orchestrator.config.masking import MASK

# Escape sequences in a tenant's name or a server's message would drive the reader's terminal.
# Those that turn the direction of what follows would show a reader another text than is there.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
# Halves of characters, which UTF-8 has not, and what XML has not.
_UNSOUND = re.compile("[\ud800-\udfff\ufffe\uffff]")
_SECRET = re.compile("passw|pwd|token|secret|api_?key|credential", re.IGNORECASE)
_SHORT = 12
NAMES_SHOWN = 20


def safe(text: str) -> str:
    """Return ``text`` with control characters made visible, newlines and tabs kept."""
    return _CONTROL.sub(_visible, text.replace("\r\n", "\n"))


def _visible(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def sound(text: str) -> str:
    """Return ``text`` with what files of other programs can't hold made visible.

    Bytes that are no UTF-8 come as such characters: in names of files, and from servers.
    """
    return _UNSOUND.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def hidden(key: str, value: str) -> str:
    """Return ``value``, masked where ``key`` sounds like a secret and it is no reference to one."""
    return MASK if _SECRET.search(key) and not value.startswith("${") else value


def labels(of: Mapping[str, str]) -> dict[str, str]:
    """Return a tenant's labels, those masked that sound like secrets."""
    return {key: hidden(key, value) for key, value in of.items()}


def count(number: int, noun: str, plural: str | None = None) -> str:
    """Return ``1 target``, ``1,234 targets``."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def heads(ids: Sequence[str]) -> str:
    """Return heads for people: shortened, joined, ``empty`` where there are none."""
    return ", ".join(short(head) for head in ids) or "empty"


def short(revision: str) -> str:
    """Return a revision id of at most a dozen characters, as Alembic's own are."""
    return revision if len(revision) <= _SHORT else revision[: _SHORT - 1] + "…"


def names(of: Iterable[str], limit: int = NAMES_SHOWN) -> str:
    """Return names joined by commas, the ones beyond ``limit`` only counted."""
    listed = list(of)
    text = safe(", ".join(listed[:limit]))
    hidden = len(listed) - limit
    return text if hidden <= 0 else f"{text} and {hidden:,} more (-o json lists all)"


def elapsed(seconds: float) -> str:
    """Return ``0.4s``, ``12s``, ``3m 05s``, ``1h 02m``."""
    if seconds < 9.95:
        return f"{seconds:.1f}s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes}m {rest:02d}s"
    return f"{minutes // 60}h {minutes % 60:02d}m"


def shortened(statement: str, lines: int = 12, width: int = 400) -> str:
    """Return a SQL statement that fits on a screen: long lines and long texts are cut, visibly."""
    kept = [line.rstrip() for line in safe(statement).strip().splitlines() if line.strip()]
    cut = [line if len(line) <= width else line[: width - 1] + "…" for line in kept[:lines]]
    hidden = len(kept) - lines
    return "\n".join(cut if hidden <= 0 else [*cut, f"… {count(hidden, 'more line')}"])
