"""What a run would do, as a value that can be sealed, reviewed, kept and compared."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from functools import cached_property
from typing import Any

from orchestrator.rollout.events import GateKind
from orchestrator.rollout.shapes import fits

FORMAT = 1
"""Of the file; another one is refused."""


class BadPlan(ValueError):
    """What should be a sealed plan is none; the message says why."""


@dataclass(frozen=True, slots=True)
class PlannedRevision:
    """A revision that the run applies, reverts or stamps over."""

    id: str
    message: str
    sha256: str
    """Of its file."""
    reversible: bool | None = None
    """Whether it has a ``downgrade`` that does something; ``None`` where that is not known."""


@dataclass(frozen=True, slots=True)
class PlannedWave:
    """Targets that run together, with what may fail and what must hold afterwards."""

    name: str
    environment: str
    budget: int
    """How many of its targets may fail."""
    targets: int
    """How many it has."""
    max_parallel: int | None = None
    """Its own limits, besides those of its environment."""
    max_per_server: int | None = None
    entry: tuple[str, ...] = ()
    """Conditions before it: ``requires``."""
    gate: tuple[str, ...] = ()
    """Conditions after it: ``soak``, ``approval``, ``query``, ``command``."""


@dataclass(frozen=True, slots=True)
class PlannedTarget:
    """What the run does with one target."""

    name: str
    environment: str
    database: str
    server: str
    place: str
    """Its URL and schema without secrets."""
    wave: int
    heads: tuple[str, ...] | None
    """Where it was when the plan was made; ``None`` where that could not be read."""
    goal: tuple[str, ...] | None
    """Where it goes; ``None`` where only its worker can tell."""
    schema_class: str | None = None
    """Equal for targets whose server, heads and schema are alike; ``None`` where not read."""
    revisions: tuple[str, ...] = ()
    """What is applied or reverted, in that order."""

    @property
    def idle(self) -> bool:
        """Whether there is nothing to do for it."""
        return self.heads is not None and self.goal == self.heads and not self.revisions


_KEYS = tuple(field_.name for field_ in fields(PlannedTarget))


@dataclass(frozen=True)
class Plan:
    """What a run would do. Equal content gives an equal digest, whatever made it."""

    project: str
    verb: str
    revision: str
    selection: Mapping[str, Any]
    """``selectors``, ``where``, ``exclude``."""
    program: str
    """The version of this program."""
    alembic: str
    arguments: str
    """A digest of ``-x`` of the command line, which may hold secrets; empty where there is none."""
    revisions: Mapping[str, Mapping[str, PlannedRevision]]
    """By database and id."""
    rollouts: Mapping[str, Mapping[str, Any]]
    """The settings of each environment's rollout."""
    waves: tuple[PlannedWave, ...]
    targets: tuple[PlannedTarget, ...] = field(repr=False)
    """In the order in which they run."""
    parent: int | None = None
    """The run that is rolled back."""
    notes: tuple[str, ...] = ()
    """What a reader of the plan should know: waves that match nothing, classes without a canary."""

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the canonical JSON, in hexadecimal."""
        return _digest(self._content())

    @property
    def header(self) -> str:
        """All of it but its targets, as canonical JSON."""
        return canonical({**self._content(), "targets": []})

    @property
    def busy(self) -> tuple[PlannedTarget, ...]:
        """The targets for which there is something to do, as far as that is known."""
        return tuple(target for target in self.targets if not target.idle)

    def sealed(self) -> Iterator[str]:
        """Yield the text of the file: what is bound by the digest, a line for each target."""
        value = {**self._content(), "digest": self.digest}
        targets = value.pop("targets")
        head = json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False)
        yield head.removesuffix("\n}") + ',\n "targets": ['
        for number, target in enumerate(targets):
            yield ("," if number else "") + "\n  " + canonical(target)
        yield "\n ]\n}\n"

    def without(self, names: Sequence[str]) -> "Plan":
        """Return the plan without some targets. Its waves and their budgets stay as they are."""
        gone = set(names)
        return replace(self, targets=tuple(t for t in self.targets if t.name not in gone))

    def _content(self) -> dict[str, Any]:
        content: dict[str, Any] = asdict(replace(self, targets=()))
        content["targets"] = [_as_json(target) for target in self.targets]
        return {"format": FORMAT, **content}


def unsealed(text: str) -> Plan:
    """Return the plan of a file's text. Raises ``BadPlan`` for one that was changed or cut off."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadPlan(f"it is no JSON, or was cut off: {error}") from None
    if not isinstance(value, dict) or "digest" not in value or "format" not in value:
        raise BadPlan("it is not a plan of `orchestrator plan --out`")
    if value["format"] != FORMAT:
        raise BadPlan(f"it is of format {value['format']}, and this program reads {FORMAT}")
    digest = value.pop("digest")
    try:
        if digest != _digest(value):
            raise BadPlan("its digest does not fit its content: it was changed after it was sealed")
        plan = of_json(value, value["targets"])
    except (KeyError, TypeError, AttributeError, RecursionError) as error:
        raise BadPlan(f"it lacks what a plan has: {error}") from None
    # Whoever knows how can make a digest that fits; nothing else must come of it than a message.
    if not (fits(plan, Plan) and _holds_together(plan) and plan.digest == digest):
        raise BadPlan("it has another shape than what `orchestrator plan --out` writes")
    return plan


def _holds_together(plan: Plan) -> bool:
    """Whether each target is there once and has a wave, and every condition has a meaning."""
    kinds = {kind for wave in plan.waves for kind in (*wave.entry, *wave.gate)}
    return (
        len({target.name for target in plan.targets}) == len(plan.targets)
        and all(0 <= target.wave < len(plan.waves) for target in plan.targets)
        and kinds <= set(GateKind)
    )


def of_json(header: Mapping[str, Any], targets: Iterable[Mapping[str, Any]]) -> Plan:
    """Return the plan of a header and its targets, each as in the file."""
    value = {key: header[key] for key in Plan.__dataclass_fields__}
    value["revisions"] = {
        database: {id_: PlannedRevision(**of) for id_, of in revisions.items()}
        for database, revisions in value["revisions"].items()
    }
    value["waves"] = tuple(
        PlannedWave(**{**wave, "entry": tuple(wave["entry"]), "gate": tuple(wave["gate"])})
        for wave in value["waves"]
    )
    value["targets"] = tuple(map(_of_json, targets))
    value["notes"] = tuple(value["notes"])
    return Plan(**value)


def canonical(value: Any) -> str:
    """Return JSON that is the same for equal values, whoever writes it."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _digest(content: Mapping[str, Any]) -> str:
    # "surrogatepass": whatever a name or a message holds, it has a digest.
    return hashlib.sha256(canonical(content).encode(errors="surrogatepass")).hexdigest()


def _as_json(target: PlannedTarget) -> dict[str, Any]:
    # Of 100,000 targets, dataclasses.asdict would take seconds.
    return {name: getattr(target, name) for name in _KEYS}


def _of_json(value: Mapping[str, Any]) -> PlannedTarget:
    found: dict[str, Any] = {name: value[name] for name in _KEYS}
    for name, of in found.items():
        if isinstance(of, list):
            found[name] = tuple(of)
    return PlannedTarget(**found)
