"""The text of ``token``: who has one."""

from collections.abc import Sequence

from rich.console import Group
from rich.text import Text

from orchestrator.ledger.access import TokenRecord
from orchestrator.render.table import Columns
from orchestrator.render.text import safe
from orchestrator.rollout.times import moment

_MINUTES = len("2026-11-23 14:05")


def table(found: Sequence[TokenRecord], now: int) -> Group:
    """Return a row for each token."""
    if not found:
        return Group(Text("No tokens. Make one: orchestrator token add NAME --role viewer"))
    header = ["id", "name", "role", "state", "until (UTC)", "used last", "by"]
    return Group(Columns(header, [_row(one, now) for one in found], dispensable=6))


def standing(of: TokenRecord, now: int) -> str:
    """Return ``good``, ``expired`` or ``revoked``."""
    if of.revoked_at is not None:
        return "revoked"
    return "good" if of.is_good(now) else "expired"


def _row(of: TokenRecord, now: int) -> list[Text]:
    state = standing(of, now)
    return [
        Text(str(of.id)),
        Text(safe(of.name)),
        Text(of.role.value),
        Text(state, style="green" if state == "good" else "dim"),
        Text(_short(of.expires_at) or "ever"),
        Text(_short(of.used_at) or "never"),
        Text(safe(of.by)),
    ]


def _short(at: int | None) -> str:
    return "" if at is None else moment(at)[:_MINUTES]
