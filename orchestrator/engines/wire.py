"""What an engine and a host on another machine say to each other: JSON that is checked when it
arrives. Nothing is unpickled."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeVar

from pydantic import Field, TypeAdapter, ValidationError

T = TypeVar("T")

VERSION = 2
"""Of these messages: a host refuses to work for an engine that speaks another."""


class NotOurs(ValueError):
    """What arrived is none of our messages."""


@dataclass(frozen=True, slots=True)
class Service:
    """What hosts run for an engine: its function of the worker, and how its contents travel."""

    serve: Callable[..., None]
    arguments: tuple[Any, ...]
    is_final: Callable[[Any], bool]
    pack: Callable[[Any], str]
    """From what goes through a worker's pipe to text."""
    unpack: Callable[[str], Any]
    """Back again. Raises ``ValueError`` for what is none."""
    preload: Sequence[str] = ()
    about: Callable[[], Mapping[str, str]] = dict
    """What may differ between two machines and must not, by names for people."""


@dataclass(frozen=True, slots=True)
class Submit:
    """Run a job, as soon as a slot is free."""

    id: str
    """A key, and which attempt at it: no two jobs of an engine have the same."""
    kind: str
    timeout: float
    """Seconds that it may take from when it starts."""
    job: str
    op: Literal["submit"] = "submit"


@dataclass(frozen=True, slots=True)
class Answer:
    """Give something to the worker of a job."""

    id: str
    content: str
    op: Literal["answer"] = "answer"


@dataclass(frozen=True, slots=True)
class Kill:
    """Stop the workers of jobs."""

    ids: tuple[str, ...]
    op: Literal["kill"] = "kill"


@dataclass(frozen=True, slots=True)
class Beat:
    """The engine lives."""

    op: Literal["beat"] = "beat"


@dataclass(frozen=True, slots=True)
class Bye:
    """The engine has ended, and nothing follows."""

    op: Literal["bye"] = "bye"


Order = Submit | Answer | Kill | Beat | Bye


@dataclass(frozen=True, slots=True)
class Letter:
    """An order from an engine to a host."""

    session: str
    """Which engine: no two have the same."""
    host: str
    """For which life of the host it is meant."""
    number: int
    """From 0 on, without a gap: Dask may let one overtake another."""
    patience: float
    """Seconds without a letter after which the engine counts as gone."""
    order: Annotated[Order, Field(discriminator="op")]


@dataclass(frozen=True, slots=True)
class Sent:
    """A worker sent something while it works on a job."""

    id: str
    content: str
    op: Literal["sent"] = "sent"


@dataclass(frozen=True, slots=True)
class Ended:
    """The last thing that a worker sent about a job."""

    id: str
    content: str
    op: Literal["ended"] = "ended"


@dataclass(frozen=True, slots=True)
class Gone:
    """The worker of a job is gone without an answer."""

    id: str
    reason: str
    timed_out: bool
    op: Literal["gone"] = "gone"


@dataclass(frozen=True, slots=True)
class Alive:
    """The host lives."""

    op: Literal["alive"] = "alive"


Word = Sent | Ended | Gone | Alive


@dataclass(frozen=True, slots=True)
class Report:
    """A word from a host to an engine."""

    host: str
    """Which life of the host."""
    word: Annotated[Word, Field(discriminator="op")]


@dataclass(frozen=True, slots=True)
class About:
    """What a host tells of itself."""

    host: str
    """A name of this life of it: another one after a restart."""
    name: str
    """For people."""
    topic: str
    """In which it hears letters."""
    place: str | None
    slots: int
    busy: int
    version: int
    """Of the messages that it understands."""
    same: Mapping[str, str]
    """What must be the same on all machines, by name."""


@dataclass(frozen=True, slots=True)
class Introduction:
    """A host of a cluster, and the address at which its scheduler knows it."""

    address: str
    about: About


@dataclass(frozen=True, slots=True)
class RollCall:
    """Every host is to introduce itself to an engine."""

    session: str


_LETTER: TypeAdapter[Letter] = TypeAdapter(Letter)
_REPORT: TypeAdapter[Report] = TypeAdapter(Report)
_INTRODUCTION: TypeAdapter[Introduction] = TypeAdapter(Introduction)
_ROLL_CALL: TypeAdapter[RollCall] = TypeAdapter(RollCall)
_TOLD: TypeAdapter[Report | Introduction] = TypeAdapter(Report | Introduction)


def packed(message: Letter | Report | Introduction | RollCall) -> str:
    """Return a message as text."""
    adapters: Mapping[type, TypeAdapter[Any]] = {
        Letter: _LETTER,
        Report: _REPORT,
        Introduction: _INTRODUCTION,
        RollCall: _ROLL_CALL,
    }
    return adapters[type(message)].dump_json(message).decode()


def letter(text: Any) -> Letter:
    """Return the letter that a text is. Raises ``NotOurs``."""
    return _read(_LETTER, text)


def roll_call(text: Any) -> RollCall:
    """Return the roll call that a text is. Raises ``NotOurs``."""
    return _read(_ROLL_CALL, text)


def told(text: Any) -> Report | Introduction:
    """Return what a host told that a text is. Raises ``NotOurs``."""
    return _read(_TOLD, text)


def _read(adapter: TypeAdapter[T], text: Any) -> T:
    if not isinstance(text, str):
        raise NotOurs("a message that is no text")
    try:
        return adapter.validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise NotOurs(f"a message that is none of ours: {first['msg']}") from None
