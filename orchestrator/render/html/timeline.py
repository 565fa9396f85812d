"""How fast a run went, as a drawing: numbers for an SVG without a script."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from orchestrator.ledger.records import Pace, RunRecord, WaveRecord
from orchestrator.render.html.run import series
from orchestrator.render.text import count, elapsed, safe
from orchestrator.rollout.events import WaveState
from orchestrator.rollout.times import moment

_TOP = 22
_HEIGHT = 130
_LEAST = 3.0
"""Pixels of what is there at all: one failure among hundreds has to be seen."""
_NARROWEST = 0.4
_AXIS = 20
_ROW = 26
_WAVES = 40
_DAY = 86_400
_COLOURS = {WaveState.PASSED: "done", WaveState.FAILED: "failed", WaveState.GATE: "locked"}


@dataclass(frozen=True, slots=True)
class Bar:
    """What ended in one stretch of time. Lengths across are percent, lengths down are pixels."""

    x: float
    width: float
    done: float
    """How far it goes up from the line."""
    failed: float
    """How far it goes down from it."""
    text: str


@dataclass(frozen=True, slots=True)
class Span:
    """When a wave was worked on."""

    x: float
    width: float
    y: float
    at_end: bool
    """Whether its name is to end where it ends: it would not fit to the right of its beginning."""
    colour: str
    text: str


@dataclass(frozen=True, slots=True)
class Stretch:
    """A stretch of time in which something ended."""

    at: str
    done: int
    failed: int
    longest: str


@dataclass(frozen=True, slots=True)
class Timeline:
    """The timeline of a run."""

    height: float
    line: float
    """Where the line is, above which is what went well."""
    top: float
    bottom: float
    most: int
    most_failed: int
    step: str
    """How long a stretch is."""
    bars: Sequence[Bar]
    times: Sequence[tuple[str, str, str]]
    """Where a label is, how it is anchored there, and what it says."""
    spans: Sequence[Span]
    stretches: Sequence[Stretch]
    text: str
    """What it shows, in words."""


def timeline(
    run: RunRecord, paces: Sequence[Pace], waves: Sequence[WaveRecord], now: int
) -> Timeline | None:
    """Return the timeline of a run; ``None`` where nothing has ended in it."""
    if not paces:
        return None
    found = series(run, paces, now)
    seconds = found.at[1] - found.at[0]
    step = elapsed(seconds).replace(".0s", "s")
    first, length = found.at[0], seconds * len(found.at)
    most, most_failed = max(found.done), max(found.failed)
    scale = _HEIGHT / (most + most_failed)
    line = _TOP + max(most * scale, _LEAST)
    bottom = line + (max(most_failed * scale, _LEAST) if most_failed else 0)
    slot = 100 / len(found.at)
    stretches = [
        Stretch(
            moment(round(at * 1000)).removesuffix(" UTC"),
            done,
            failed,
            "" if longest is None else elapsed(longest),
        )
        for at, done, failed, longest in zip(
            found.at, found.done, found.failed, found.longest, strict=True
        )
    ]
    bars = [
        Bar(
            x=round(at * slot + slot * 0.08, 3),
            width=round(slot * 0.84, 3),
            done=_pixels(one.done, scale),
            failed=_pixels(one.failed, scale),
            text=f"{one.at}: {one.done:,} well, {one.failed:,} not",
        )
        for at, one in enumerate(stretches)
        if one.done or one.failed
    ]
    spans = _spans(waves, first, length, bottom + _AXIS, now)
    return Timeline(
        height=round(bottom + _AXIS + _ROW * len(spans) + 4, 2),
        line=round(line, 2),
        top=_TOP,
        bottom=round(bottom, 2),
        most=most,
        most_failed=most_failed,
        step=step,
        bars=bars,
        times=_times(first, length),
        spans=spans,
        stretches=[one for one in stretches if one.done or one.failed],
        text=_text(paces, found.done, found.failed, step),
    )


def _pixels(number: int, scale: float) -> float:
    return round(max(number * scale, _LEAST), 2) if number else 0.0


def _spans(
    waves: Sequence[WaveRecord], first: float, length: float, top: float, now: int
) -> list[Span]:
    spans: list[Span] = []
    for wave in waves:
        if wave.started_at is None or len(spans) == _WAVES:
            continue
        ended = wave.ended_at or now
        begins = min(max((wave.started_at / 1000 - first) / length, 0.0), 1.0)
        ends = min(max((ended / 1000 - first) / length, begins), 1.0)
        took = elapsed((ended - wave.started_at) / 1000)
        spans.append(
            Span(
                x=round(100 * begins, 3),
                width=round(max(100 * (ends - begins), _NARROWEST), 3),
                y=round(top + _ROW * len(spans), 2),
                at_end=begins > 0.5,
                colour=_COLOURS.get(wave.state, "running"),
                text=safe(f"{wave.name}: {wave.state}, {took}"),
            )
        )
    return spans


def _times(first: float, length: float) -> list[tuple[str, str, str]]:
    form = "%H:%M:%S" if length < _DAY else "%m-%d %H:%M"
    places = ((0.0, "start"), (0.5, "middle"), (1.0, "end"))
    return [
        (f"{100 * at:g}%", anchor, datetime.fromtimestamp(first + at * length, UTC).strftime(form))
        for at, anchor in places
    ]


def _text(paces: Sequence[Pace], done: Sequence[int], failed: Sequence[int], step: str) -> str:
    first, last = moment(paces[0].ended_at), moment(paces[-1].ended_at)
    bad = sum(failed)
    said = f"{count(sum(done) + bad, 'attempt')} ended between {first} and {last}, "
    said += f"at most {max(d + f for d, f in zip(done, failed, strict=True)):,} in {step}; "
    return said + (f"{bad:,} did not succeed" if bad else "all succeeded")
