"""What the state machine of a run is made from: its waves, and what is known of them already."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from orchestrator.rollout.events import GateKind, WaveState
from orchestrator.rollout.outcomes import State
from orchestrator.rollout.schedule import Work


@dataclass(frozen=True, slots=True)
class Stage:
    """A wave of a run, with what it may cost and what must hold before and after it."""

    name: str
    """``prod/canary``, or the environment's alone where it has no waves."""
    environment: str
    works: tuple[Work, ...]
    budget: int = 0
    """How many of its targets may fail."""
    entry: tuple[GateKind, ...] = ()
    """What must hold before its first target starts."""
    gate: tuple[GateKind, ...] = ()
    """What must hold after it, before the next wave or the end."""


@dataclass(frozen=True, slots=True)
class Past:
    """What the ledger knows of a run that is to go on."""

    settled: Mapping[str, State] = field(default_factory=dict)
    waves: Mapping[int, tuple[WaveState, int | None]] = field(default_factory=dict)
    """Where each wave stood, and since when where it had ended, in ms."""
    gates: frozenset[tuple[int, GateKind]] = frozenset()
    """Conditions that held, or were overridden."""


@dataclass(frozen=True, slots=True)
class ClosedGate:
    """What a run waits for."""

    wave: int
    kinds: tuple[GateKind, ...]
    """What is still to hold."""
    since: int | None = None
    """When the wave before it ended, in ms; ``None`` at the entry of a wave."""
