"""When a window is open: by the clock on the wall of its time zone, whatever that does.

A window opens when its clock first shows ``from`` and closes when it first shows ``to``. A time
that a clock leaves out when it is put forward counts as the moment at which it is put forward. So
a window within the hour that is left out does not open on that day, and one within the hour that
is shown twice opens once.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from zoneinfo import ZoneInfo

from orchestrator.config.rollouts import DAYS, Window

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY = timedelta(days=1)
_SECOND = timedelta(seconds=1)
# A window on one day of the week may be skipped by a clock twice, hardly more often.
_SEARCHED = 22


def is_open(window: Window, at_ms: int) -> bool:
    """Whether something may start at ``at_ms``, in milliseconds since 1970-01-01 UTC."""
    return _end(window, at_ms) is not None


def opens_at(window: Window, at_ms: int) -> int | None:
    """Return the first moment from ``at_ms`` on at which the window is open: at best that itself.

    ``None`` for one that does not open within three weeks: it never does.
    """
    for start, end in _spans(window, at_ms):
        if at_ms < end:
            return max(start, at_ms)
    return None


def closes_at(window: Window, at_ms: int) -> int | None:
    """Return when a window that is open at ``at_ms`` closes.

    ``None`` where it is closed, or where it is always open: the days follow on each other.
    """
    end = _end(window, at_ms)
    if end is None:
        return None
    for start, later in _spans(window, end):
        if start > end:
            return end
        end = max(end, later)
    return None


def _end(window: Window, at_ms: int) -> int | None:
    return next((end for start, end in _spans(window, at_ms) if start <= at_ms < end), None)


def _spans(window: Window, at_ms: int) -> Iterator[tuple[int, int]]:
    """Yield from when to when the window is open, from just before ``at_ms`` on, in order."""
    zone = UTC if window.tz == "UTC" else ZoneInfo(window.tz)
    today = (_EPOCH + timedelta(milliseconds=at_ms)).astimezone(zone).date()
    begins, ends, more = _times(window)
    # The clock may have left out a whole day: the window of the day before yesterday may be open.
    for number in range(-3, _SEARCHED):
        day = today + number * _DAY
        if DAYS[day.weekday()] in window.days:
            start, end = _moment(day, begins, zone), _moment(day + more, ends, zone)
            if start < end:
                yield start, end


def _times(window: Window) -> tuple[time, time, timedelta]:
    """Return when it opens, when it closes, and how many days later that is."""
    begins = time.fromisoformat(window.from_)
    if window.to == "24:00":
        return begins, time(0), _DAY
    ends = time.fromisoformat(window.to)
    return begins, ends, timedelta(0) if begins < ends else _DAY


def _moment(day: date, clock: time, zone: tzinfo) -> int:
    """Return when a clock first shows that time on that day, or leaves it out."""
    local = datetime.combine(day, clock, zone)
    before, after = local.astimezone(UTC), local.replace(fold=1).astimezone(UTC)
    if before <= after:
        return _milliseconds(before)
    return _milliseconds(_change(after, before, zone))


def _change(early: datetime, late: datetime, zone: tzinfo) -> datetime:
    """Return the second between the two at which the clock is put forward."""
    offset = early.astimezone(zone).utcoffset()
    low, high = 0, (late - early) // _SECOND
    while high - low > 1:
        middle = (low + high) // 2
        if (early + middle * _SECOND).astimezone(zone).utcoffset() == offset:
            low = middle
        else:
            high = middle
    return early + high * _SECOND


def _milliseconds(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(milliseconds=1)
