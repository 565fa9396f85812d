"""Parts of a URL as people may see them: no password, secrets by name."""

import re

from orchestrator.config.template import Template
from orchestrator.fleet.url import Masked

_NAMES_PASSWORD = re.compile(r"pass|pwd|secret|token", re.IGNORECASE)
_PASSWORD_IN_URL = re.compile(r"(:(?!//))([^@]*)(?=@)")
_PASSWORD_IN_QUERY = re.compile(
    r"([?&][^=&]*(?:pass|pwd|secret|token)[^=&]*=)([^&]*)", re.IGNORECASE
)


def hidden(password: Template) -> str:
    """Return secrets by name, and nothing of a text that has any literal in it."""
    literal = any(isinstance(part, str) for part in password.parts)
    return "***" if literal else str(password)


def shown(key: str, value: Template) -> str:
    """Return a parameter of a URL for people."""
    return hidden(value) if _NAMES_PASSWORD.search(key) else str(value)


def without_password(url: Template) -> str:
    """Return a URL for people that can't be taken apart yet. It rather hides too much."""
    masked = Masked(url)

    def stars(match: re.Match[str]) -> str:
        return match[0] if masked.only_placeholders(match[2]) else f"{match[1]}***"

    text = _PASSWORD_IN_URL.sub(stars, masked.text, count=1)
    return str(masked.template(_PASSWORD_IN_QUERY.sub(stars, text)))
