"""Which names are safe where they end up: in paths, URLs, SQL identifiers, selectors, terminals."""

import re
import unicodedata

LONGEST_NAME = 255
RESERVED_LABELS = frozenset({"environment", "database", "tenant"})
"""Labels that every target has; a tenant can't bring its own."""

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
_LABEL = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_FORBIDDEN = frozenset("/\\'\"`*?[]{}$;|<>")


def name_problem(name: str) -> str | None:
    """Say why ``name`` can't name a database or an environment, or return ``None``."""
    if _NAME.fullmatch(name) and len(name) <= LONGEST_NAME:
        return None
    return "a name has letters, digits, '_', '-' and '.', and starts with a letter, digit or '_'"


def label_problem(label: str) -> str | None:
    """Say why ``label`` can't name a label of a tenant, or return ``None``."""
    if label in RESERVED_LABELS:
        return "this label is set by orchestrator; give yours another name"
    if not _LABEL.fullmatch(label):
        return "a label's name has letters, digits and '_', and does not start with a digit"
    return None


def tenant_name_problem(name: str) -> str | None:
    """Say why ``name`` can't name a tenant, or return ``None``.

    A name that passes stays in its place: it can't leave a folder, end a quoted identifier, be
    taken for an option or a pattern, or draw on a terminal.
    """
    if not name:
        return "it is empty"
    if len(name) > LONGEST_NAME:
        return f"it is longer than {LONGEST_NAME} characters"
    if name in {".", ".."}:
        return "it means a folder"
    if name != name.strip():
        return "it starts or ends with white space"
    if name.startswith("-"):
        return "it starts with '-', like an option"
    return _bad_character(name)


def _bad_character(name: str) -> str | None:
    for character in name:
        # Cf reorders text on screen; Cs can't be encoded; Zl and Zp break lines.
        if unicodedata.category(character) in {"Cc", "Cf", "Cs", "Zl", "Zp"}:
            return f"it has a control character, U+{ord(character):04X}"
        if character in _FORBIDDEN:
            return f"it has a {character} in it"
    return None
