"""What Dask says to nobody in particular is not shown to people; everything else is."""

import subprocess
import sys

import pytest

_LEAVES = """
import asyncio, gc, sys
from orchestrator.engines.dask_worker import silence

async def left(error):
    asyncio.get_running_loop().create_future().set_exception(error)
    gc.collect()

silence()
asyncio.run(left({error}))
"""

_WAITS = """
import asyncio, gc
from datetime import timedelta
from tornado.locks import Event

async def left():
    waiting = Event().wait(timedelta(milliseconds=1))
    await asyncio.sleep(0.05)
    del waiting
    gc.collect()

asyncio.run(left())
"""


@pytest.mark.parametrize(
    ("error", "is_told"),
    [("TimeoutError('Timeout')", False), ("TimeoutError()", True), ("OSError('Timeout')", True)],
)
def test_a_wait_that_dask_left_behind_is_not_told(error: str, *, is_told: bool) -> None:
    code = _LEAVES.replace("{error}", error)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ("never retrieved" in done.stderr) is is_told


def test_tornado_still_leaves_such_waits() -> None:
    """Once it does not, what ignores them can go."""
    done = subprocess.run(
        [sys.executable, "-c", _WAITS], capture_output=True, text=True, check=True
    )
    assert "never retrieved" in done.stderr
    assert "TimeoutError('Timeout')" in done.stderr
