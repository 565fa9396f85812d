"""A new run into rows."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from sqlalchemy import Connection, insert, update

from orchestrator.ledger import codec
from orchestrator.ledger.clock import clock
from orchestrator.ledger.records import NewRun, NewTarget, NewWave
from orchestrator.ledger.tables import runs, targets, waves
from orchestrator.ledger.writing import batches
from orchestrator.rollout.events import RunState, WaveState

_MANY = 2000


def create(
    connection: Connection, run: NewRun, new_waves: Sequence[NewWave], new: Iterable[NewTarget]
) -> int:
    """Insert a run with its waves and targets, and return its number."""
    id_ = _insert_run(connection, run)
    if new_waves:
        rows = [_wave(id_, at, wave) for at, wave in enumerate(new_waves)]
        connection.execute(insert(waves), rows)
    total = 0
    for several in batches(_targets(id_, new), _MANY):
        connection.execute(insert(targets), several)
        total += len(several)
    connection.execute(update(runs).where(runs.c.id == id_).values(total=total))
    return id_


def _insert_run(connection: Connection, run: NewRun) -> int:
    done = connection.execute(
        insert(runs).values(
            project=codec.text(run.project),
            verb=run.verb,
            revision=codec.text(run.revision),
            state=RunState.PAUSED.value,
            reason="not started yet",
            by=codec.text(run.by),
            created_at=clock(connection.dialect.name),
            parent=run.parent,
            digest=run.digest,
            plan=run.plan,
            total=0,
            token=0,
        )
    )
    assert done.inserted_primary_key is not None
    return int(done.inserted_primary_key[0])


def _wave(run: int, position: int, wave: NewWave) -> dict[str, Any]:
    return {
        "run": run,
        "position": position,
        "name": codec.text(wave.name),
        "environment": codec.text(wave.environment),
        "budget": wave.budget,
        "total": wave.total,
        "state": WaveState.PENDING.value,
        "failed": 0,
    }


def _targets(run: int, new: Iterable[NewTarget]) -> Iterator[dict[str, Any]]:
    for position, target in enumerate(new):
        yield {
            "run": run,
            "position": position,
            "name": codec.key(target.name),
            "long_name": codec.long_name(target.name),
            "environment": codec.key(target.environment),
            "database": codec.key(target.database),
            "server": codec.text(target.server),
            "wave": target.wave,
            "heads": codec.heads_text(target.heads),
            "goal": codec.heads_text(target.goal),
            "schema_class": codec.optional(target.schema_class),
            "detail": codec.dumps(target.detail),
            "attempts": 0,
            "doubt": False,
        }
