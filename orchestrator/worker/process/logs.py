"""``fileConfig(config.config_file_name)``, which nearly every ``env.py`` calls."""

import configparser
import contextlib
import logging
import logging.config
import os
from collections.abc import Callable, Iterator
from typing import Any


@contextlib.contextmanager
def forgiving_file_config() -> Iterator[None]:
    """Within it ``fileConfig`` leaves logging as it is where a file says nothing of it.

    There may be no file at all (``None``), as where ``environments.toml`` names none, or none with
    sections for logging. Python raises for each of these, differently in each of its versions.
    """
    original: Callable[..., None] = logging.config.fileConfig

    def file_config(fname: Any, *arguments: Any, **options: Any) -> None:
        if _configures_logging(fname, options.get("encoding")):
            original(fname, *arguments, **options)

    logging.config.fileConfig = file_config
    try:
        yield
    finally:
        logging.config.fileConfig = original


def _configures_logging(fname: Any, encoding: str | None) -> bool:
    if not isinstance(fname, str | os.PathLike):
        return fname is not None  # a parser, or an open file
    parser = configparser.RawConfigParser()
    with contextlib.suppress(configparser.Error, UnicodeDecodeError):
        parser.read(os.fspath(fname), encoding=encoding)
    return parser.has_section("loggers")
