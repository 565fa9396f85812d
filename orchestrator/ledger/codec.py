"""Values as columns hold them, and back."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

from orchestrator.ledger.records import CommittingRecord, Heads
from orchestrator.ledger.tables import LONGEST_KEY
from orchestrator.rollout.outcomes import Failure

_LONGEST_TEXT = 200_000
_DIGEST = 64


def text(value: str, longest: int = _LONGEST_TEXT) -> str:
    """Return what every database stores of a text: no NUL, no half of a pair, an end."""
    if not value.isascii():
        value = value.encode("utf-8", "replace").decode("utf-8")
    value = value.replace("\0", "\N{REPLACEMENT CHARACTER}")
    return value if len(value) <= longest else value[: longest - 1] + "…"


def optional(value: str | None) -> str | None:
    """``text`` of what there is."""
    return None if value is None else text(value)


def key(name: str) -> str:
    """Return a name as a key: itself, or of a longer one the beginning and a digest."""
    name = text(name)
    if len(name) <= LONGEST_KEY:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()
    return f"{name[: LONGEST_KEY - _DIGEST - 1]}…{digest}"


def long_name(name: str) -> str | None:
    """Return the whole of a name that ``key`` shortens, else ``None``."""
    name = text(name)
    return name if len(name) > LONGEST_KEY else None


def dumps(value: Any) -> str:
    """Return JSON, which is ASCII and so fits everywhere."""
    return json.dumps(value, separators=(",", ":"), sort_keys=True)


def heads_text(heads: Iterable[str] | None) -> str | None:
    """Return heads as text: equal for equal sets of heads."""
    return None if heads is None else dumps(sorted(heads))


def heads_of(value: str | None) -> Heads | None:
    """Read ``heads_text``."""
    return None if value is None else tuple(json.loads(value))


def failure_text(failure: Failure | None) -> str | None:
    """Return a failure as JSON, its texts clipped."""
    if failure is None:
        return None
    fields = {name: _clipped(value) for name, value in asdict(failure).items()}
    return dumps(fields)


def failure_of(value: str | None) -> Failure | None:
    """Read ``failure_text``; what a newer program added is left out."""
    if value is None:
        return None
    known = {k: v for k, v in json.loads(value).items() if k in Failure.__dataclass_fields__}
    return Failure(**{**known, "executed": tuple(known.get("executed", ()))})


def committing_of(value: str | None) -> tuple[CommittingRecord, ...]:
    """Read what an attempt was about to change: lines of JSON, of which the last of a revision
    counts."""
    found: dict[str, CommittingRecord] = {}
    for line in (value or "").splitlines():
        fields = json.loads(line)
        one = CommittingRecord(**{**fields, "following": tuple(fields["following"])})
        found[one.revision] = one
    return tuple(found.values())


def lines_of(several: Iterable[CommittingRecord]) -> str:
    """Return what an attempt was about to change as lines to be added to those there are."""
    return "".join(dumps(asdict(one)) + "\n" for one in several)


def detail_of(value: str) -> Mapping[str, Any]:
    """Read the detail of a target."""
    found: Mapping[str, Any] = json.loads(value)
    return found


def path_of(verb: str, revisions: Iterable[str]) -> str:
    """Name what was run on a target, so that equal work has an equal name."""
    return hashlib.sha256(dumps([verb, *revisions]).encode()).hexdigest()


def _clipped(value: Any) -> Any:
    if isinstance(value, str):
        return value if len(value) <= _LONGEST_TEXT else value[: _LONGEST_TEXT - 1] + "…"
    return [_clipped(one) for one in value[-1000:]] if isinstance(value, tuple | list) else value
