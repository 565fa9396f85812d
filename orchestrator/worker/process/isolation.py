"""What a migration changes in its own process stays with its target."""

import contextlib
import os
import signal
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)


@contextlib.contextmanager
def unchanged_process() -> Iterator[None]:
    """Put back folder, environment, ``sys.path``, ``sys.argv``, warnings, signals and alarm.

    Imported modules stay, and with them what they registered (event listeners, logging): a worker
    that imported the application for each target anew would be no faster than a shell loop.
    """
    folder, environ, path, argv = Path.cwd(), dict(os.environ), list(sys.path), sys.argv
    handlers = {number: signal.getsignal(number) for number in _SIGNALS}
    try:
        with warnings.catch_warnings():
            yield
    finally:
        signal.alarm(0)
        for number, handler in handlers.items():
            signal.signal(number, handler)
        os.chdir(folder)
        if dict(os.environ) != environ:
            os.environ.clear()
            os.environ.update(environ)
        sys.path[:] = path
        sys.argv = argv
