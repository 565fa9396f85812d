"""Who may write to a run: one holder at a time, told apart by a token that only grows."""

from functools import cache
from typing import Any

from sqlalchemy import Connection, Update, bindparam, case, func, select, update

from orchestrator.errors import UsageError
from orchestrator.ledger.clock import clock
from orchestrator.ledger.errors import Held, LeaseLost
from orchestrator.ledger.holder import Holder
from orchestrator.ledger.tables import runs


def take(connection: Connection, run: int, holder: Holder, ttl: float) -> int | None:
    """Take the lease and return its new token; ``None`` where somebody was faster: look again.

    Raises ``Held`` while another holder lives: it gave a sign within ``ttl`` seconds, by the
    ledger's clock, and is not a process of this machine that is surely gone.
    """
    now = clock(connection.dialect.name)
    row = _look(connection, run)
    if (other := _living(row, ttl)) is not None:
        raise Held(run, str(other), max((row.now - row.heartbeat_at) / 1000, 0.0))
    seen = -1 if row.heartbeat_at is None else row.heartbeat_at
    done = connection.execute(
        update(runs)
        .where(
            runs.c.id == run,
            runs.c.token == row.token,
            func.coalesce(runs.c.heartbeat_at, -1) == seen,
        )
        .values(
            holder=holder.to_text(),
            token=row.token + 1,
            heartbeat_at=now,
            # A pause was meant for who held it before; nothing takes back an abort.
            request=case((runs.c.request == "abort", "abort"), else_=None),
        )
    )
    return row.token + 1 if done.rowcount else None


def holder(connection: Connection, run: int, ttl: float) -> str | None:
    """Return who holds a run and lives, as ``take`` would say; ``None`` where it can be taken."""
    living = _living(_look(connection, run), ttl)
    return None if living is None else str(living)


def _look(connection: Connection, run: int) -> Any:
    now = clock(connection.dialect.name).label("now")
    found = select(runs.c.holder, runs.c.token, runs.c.heartbeat_at, now)
    row = connection.execute(found.where(runs.c.id == run)).one_or_none()
    if row is None:
        raise UsageError(f"there is no run {run} in the ledger")
    return row


def _living(row: Any, ttl: float) -> Holder | None:
    if row.holder is None or row.heartbeat_at is None:
        return None
    # A sign of life from the future is none: the clock was set back since.
    age = (row.now - row.heartbeat_at) / 1000
    other = Holder.of_text(row.holder)
    return other if abs(age) <= ttl and not other.is_gone() else None


def renew(connection: Connection, run: int, token: int) -> None:
    """Give a sign of life. Raises ``LeaseLost``; until the end of the transaction nobody else can
    take the lease."""
    mine = {"key_run": run, "key_token": token}
    if not connection.execute(_renewal(connection.dialect.name), mine).rowcount:
        other = connection.execute(select(runs.c.holder).where(runs.c.id == run)).scalar()
        raise LeaseLost(run, str(Holder.of_text(other)) if other else None)


@cache
def _renewal(backend: str) -> Update:
    # Built once: it is part of every write.
    mine = (runs.c.id == bindparam("key_run"), runs.c.token == bindparam("key_token"))
    return update(runs).where(*mine, runs.c.holder.is_not(None)).values(heartbeat_at=clock(backend))


def give_up(connection: Connection, run: int, token: int) -> None:
    """Let somebody else take it; nothing where somebody has."""
    mine = update(runs).where(runs.c.id == run, runs.c.token == token)
    connection.execute(mine.values(holder=None, heartbeat_at=None))
