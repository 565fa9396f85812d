"""The fold of events into changes knows every event there is."""

import inspect

from orchestrator.ledger.changes import _Fold
from orchestrator.rollout import events


def test_no_event_is_unknown() -> None:
    kinds = {
        kind
        for _, kind in inspect.getmembers(events, inspect.isclass)
        if issubclass(kind, events.Event) and kind is not events.Event
    }
    assert kinds
    assert kinds == set(_Fold("upgrade", {})._of)
