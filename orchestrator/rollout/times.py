"""Moments by a ledger's clock, for people and for programs."""

from datetime import UTC, datetime


def moment(milliseconds: int) -> str:
    """Return ``2026-11-23 14:05:09 UTC``: runs are looked at from several time zones."""
    return _time(milliseconds).strftime("%Y-%m-%d %H:%M:%S UTC")


def iso(milliseconds: int | None) -> str | None:
    """Return ``2026-11-23T14:05:09.123+00:00``; ``None`` for what did not happen."""
    if milliseconds is None:
        return None
    return _time(milliseconds).isoformat(timespec="milliseconds")


def _time(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
