"""The templates of pages and reports: all that is put into them is escaped."""

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestrator.errors import UsageError
from orchestrator.render.html.looks import WORDS, code_of, look
from orchestrator.render.text import count, elapsed, heads, safe, short, shortened
from orchestrator.rollout.times import iso, moment

if TYPE_CHECKING:
    from jinja2 import Environment

INSTALL = "pip install 'alembic-orchestrator[web]'"
_FOLDER = Path(__file__).parent / "templates"


def page(template: str, values: Mapping[str, Any]) -> str:
    """Fill in a template. Raises ``UsageError`` where Jinja2 is not installed."""
    return templates().get_template(template).render(values)


def _ids(heads: Sequence[str] | None) -> str:
    """Return heads in full, as who compares two files needs them."""
    if heads is None:
        return "unknown"
    return safe(", ".join(heads)) or "empty"


@cache
def templates() -> "Environment":
    """Return all templates, with what they need of our own words."""
    try:
        from jinja2 import Environment, FileSystemLoader, StrictUndefined
    except ImportError:
        raise UsageError(f"pages are made with Jinja2, which is not here: {INSTALL}") from None
    made = Environment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.filters |= {
        "moment": moment,
        "iso": iso,
        "elapsed": elapsed,
        "heads": heads,
        "ids": _ids,
        "short": short,
        "sql": shortened,
        "plain": safe,
        "look": look,
        "code": code_of,
    }
    made.globals |= {"count": count, "WORDS": WORDS}
    return made
