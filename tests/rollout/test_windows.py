"""When windows are open, across changes of the clock."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from orchestrator.config.models import Window
from orchestrator.config.rollouts import DAYS
from orchestrator.rollout.windows import closes_at, is_open, opens_at
from tests.effort import examples

MINUTE = 60_000
HOUR = 60 * MINUTE


def window(begins, ends, days=DAYS, tz="UTC"):
    return Window.model_validate({"from": begins, "to": ends, "days": days, "tz": tz})


def at(text, tz="UTC", fold=0):
    local = datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(tz), fold=fold)
    return round(local.timestamp()) * 1000


def berlin(text, fold=0):
    return at(text, "Europe/Berlin", fold)


NIGHT = window("22:00", "04:00", ["tue", "wed"], "Europe/Berlin")


@pytest.mark.parametrize(
    ("moment", "open_"),
    [  # 2026-11-24 is a Tuesday
        ("2026-11-24T21:59:59", False),
        ("2026-11-24T22:00:00", True),
        ("2026-11-25T03:59:59", True),
        ("2026-11-25T04:00:00", False),
        ("2026-11-25T22:00:00", True),
        ("2026-11-26T03:59:59", True),  # Thursday, but Wednesday's
        ("2026-11-26T22:00:00", False),
        ("2026-11-24T03:00:00", False),  # Monday's
    ],
)
def test_past_midnight_it_belongs_to_the_day_on_which_it_opened(moment, open_):
    assert is_open(NIGHT, berlin(moment)) is open_


def test_when_it_opens_and_closes_next():
    assert opens_at(NIGHT, berlin("2026-11-26T04:00")) == berlin("2026-12-01T22:00")
    assert opens_at(NIGHT, berlin("2026-11-24T23:00")) == berlin("2026-11-24T23:00")
    assert closes_at(NIGHT, berlin("2026-11-24T23:00")) == berlin("2026-11-25T04:00")
    assert closes_at(NIGHT, berlin("2026-11-24T12:00")) is None


def test_whole_days_follow_on_each_other():
    weekend = window("00:00", "24:00", ["sat", "sun"])
    assert closes_at(weekend, at("2026-11-28T01:00")) == at("2026-11-30T00:00")
    assert opens_at(weekend, at("2026-11-30T00:00")) == at("2026-12-05T00:00")
    always = window("00:00", "24:00")
    assert closes_at(always, at("2026-11-28T01:00")) is None
    assert is_open(always, at("2026-11-28T00:00"))


# In Berlin, 2026-03-29 has no time from 02:00 to 03:00, and 2026-10-25 has it twice.
@pytest.mark.parametrize(
    ("begins", "ends", "opens", "closes"),
    [
        ("01:00", "04:00", "2026-03-29T00:00", "2026-03-29T02:00"),
        ("01:30", "02:30", "2026-03-29T00:30", "2026-03-29T01:00"),
        ("02:30", "03:30", "2026-03-29T01:00", "2026-03-29T01:30"),
        ("22:00", "02:30", "2026-03-28T21:00", "2026-03-29T01:00"),
        ("02:15", "02:45", "2026-03-30T00:15", "2026-03-30T00:45"),  # not on that day
        ("02:00", "03:00", "2026-03-30T00:00", "2026-03-30T01:00"),
    ],
)
def test_a_time_that_is_left_out_is_the_moment_of_the_change(begins, ends, opens, closes):
    nightly = window(begins, ends, tz="Europe/Berlin")
    before = at("2026-03-28T12:00")
    assert opens_at(nightly, before) == at(opens)
    assert closes_at(nightly, at(opens)) == at(closes)
    assert not is_open(nightly, at(opens) - 1)


@pytest.mark.parametrize(
    ("begins", "ends", "opens", "closes"),
    [
        ("01:00", "04:00", "2026-10-24T23:00", "2026-10-25T03:00"),
        ("01:30", "02:30", "2026-10-24T23:30", "2026-10-25T00:30"),
        ("02:15", "02:45", "2026-10-25T00:15", "2026-10-25T00:45"),
        ("02:00", "03:00", "2026-10-25T00:00", "2026-10-25T02:00"),
        ("02:30", "03:30", "2026-10-25T00:30", "2026-10-25T02:30"),
    ],
)
def test_a_time_that_is_shown_twice_is_the_first(begins, ends, opens, closes):
    nightly = window(begins, ends, tz="Europe/Berlin")
    assert opens_at(nightly, at("2026-10-24T12:00")) == at(opens)
    assert closes_at(nightly, at(opens)) == at(closes)
    assert opens_at(nightly, at(closes)) > at("2026-10-25T12:00")


def test_a_day_that_a_clock_left_out_has_no_window():
    apia = window("10:00", "12:00", ["fri"], "Pacific/Apia")  # had no 30 December 2011
    before = at("2011-12-29T00:00", "Pacific/Apia")
    assert opens_at(apia, before) == at("2012-01-06T10:00", "Pacific/Apia")


def test_utc_needs_no_data(monkeypatch):
    monkeypatch.setattr("orchestrator.rollout.windows.ZoneInfo", None)
    assert is_open(window("00:00", "01:00"), at("2026-01-01T00:30"))


TIMES = st.times().map(lambda t: t.strftime("%H:%M"))
AROUND_CHANGES = st.sampled_from(["01:30", "02:00", "02:15", "02:45", "03:00", "03:15", "00:00"])
ZONES = st.sampled_from(
    ["UTC", "Europe/Berlin", "Australia/Lord_Howe", "Pacific/Apia", "America/St_Johns"]
)


@st.composite
def windows(draw):
    begins = draw(TIMES | AROUND_CHANGES)
    ends = draw((TIMES | AROUND_CHANGES | st.just("24:00")).filter(lambda t: t != begins))
    days = draw(st.sets(st.sampled_from(DAYS), min_size=1).map(sorted))
    return window(begins, ends, days, draw(ZONES))


MOMENTS = st.one_of(
    st.datetimes(datetime(1990, 1, 1), datetime(2037, 1, 1)),
    # Around the changes of Berlin's clock, and the day that Apia left out.
    st.sampled_from(
        [datetime(2026, 3, 29, 1), datetime(2026, 10, 25, 1), datetime(2011, 12, 30)]
    ).flatmap(lambda d: st.integers(-3000, 3000).map(lambda m: d + timedelta(minutes=m))),
).map(lambda d: round(d.replace(tzinfo=UTC).timestamp() * 1000))


@settings(max_examples=examples(300))
@given(windows(), MOMENTS, st.lists(st.floats(0, 1, exclude_max=True), max_size=20))
@example(window("02:15", "02:45", ["sun"], "Europe/Berlin"), at("2026-03-28T00:00"), [0.5])
def test_it_is_closed_until_it_opens_and_open_until_it_closes(chosen, moment, parts):
    opens = opens_at(chosen, moment)
    assert opens is not None
    assert opens >= moment
    assert is_open(chosen, opens)
    assert is_open(chosen, moment) == (opens == moment)
    for part in parts:
        assert opens == moment or not is_open(chosen, moment + int(part * (opens - moment)))
    closes = closes_at(chosen, opens)
    if closes is None:
        assert len(chosen.days) == 7
        return
    assert not is_open(chosen, closes)
    assert is_open(chosen, closes - 1)
    for part in parts:
        assert is_open(chosen, opens + int(part * (closes - opens)))


@settings(max_examples=examples(300))
@given(windows(), MOMENTS)
def test_away_from_changes_of_the_clock_the_clock_decides(chosen, moment):
    zone = ZoneInfo(chosen.tz)
    local = datetime.fromtimestamp(moment / 1000, zone)
    near = [(local + timedelta(days=d)).utcoffset() for d in (-2, -1, 0, 1)]
    if len(set(near)) > 1:
        return
    shown, day = local.strftime("%H:%M"), local.weekday()
    today, yesterday = DAYS[day] in chosen.days, DAYS[day - 1] in chosen.days
    if chosen.from_ < chosen.to:
        expected = today and chosen.from_ <= shown < chosen.to
    else:
        expected = (today and shown >= chosen.from_) or (yesterday and shown < chosen.to)
    assert is_open(chosen, moment) == expected
