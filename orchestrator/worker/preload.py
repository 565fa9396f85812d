"""Imported once by the fork server, so that a worker starts with everything in memory."""

import contextlib
import gc
import importlib
import multiprocessing
import os
import sys
import traceback
from collections.abc import Callable
from multiprocessing import spawn
from types import TracebackType

import alembic.autogenerate
import alembic.command
import alembic.op
import mako.template
import sqlalchemy.orm

import orchestrator.worker.serve
from orchestrator.dialects.tls import share_unverified_context
from orchestrator.worker.environment.registries import let_env_py_register_again

for _module in (
    "pymysql",
    "psycopg",
    "sqlalchemy.dialects.mysql.pymysql",
    "sqlalchemy.dialects.postgresql.psycopg",
    "sqlalchemy.dialects.sqlite.pysqlite",
):
    with contextlib.suppress(ImportError):  # a driver is an extra
        importlib.import_module(_module)


def _fork_or_end(fork: Callable[[], int] = os.fork, server: int = os.getpid()) -> int:
    # The fork server itself has nobody to tell but its standard error; who asked it is told by its
    # end.
    try:
        return fork()
    except OSError:
        if os.getpid() == server:
            os._exit(1)
        raise


def _told(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    # Who asked for this process was killed before it could say what for: nobody is left to tell.
    if isinstance(error, EOFError) and spawn.__file__ in _files(trace):
        return
    sys.__excepthook__(kind, error, trace)


def _files(trace: TracebackType | None) -> set[str]:
    return {frame.f_code.co_filename for frame, _ in traceback.walk_tb(trace)}


if "multiprocessing.forkserver" in sys.modules and multiprocessing.parent_process() is None:
    os.fork = _fork_or_end
    sys.excepthook = _told
share_unverified_context()
let_env_py_register_again()
# What is here stays: a worker that looked through it for garbage would copy every page of it.
gc.collect()
gc.freeze()

__all__ = ["alembic", "mako", "orchestrator", "sqlalchemy"]
