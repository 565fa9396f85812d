"""Text for TOML files that we write."""

import json
import re

_BARE = re.compile(r"[A-Za-z0-9_-]+")


def toml_string(text: str) -> str:
    """Return a TOML string of any text. What is no Unicode in it becomes a question mark."""
    # A folder's name may hold bytes that are no text, and DEL, which JSON allows and TOML does not.
    clean = text.encode(errors="replace").decode()
    return json.dumps(clean, ensure_ascii=False).replace("\x7f", "\\u007f")


def toml_key(name: str) -> str:
    """Return a name as a key, quoted where it must be."""
    return name if _BARE.fullmatch(name) else toml_string(name)


def toml_comment(text: str) -> str:
    """Return a comment of one line, without what may not stand in one."""
    clean = "".join(char if char.isprintable() else "?" for char in text)
    return f"# {clean}"
