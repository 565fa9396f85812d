"""From parsed TOML to a ``Config``, or to every mistake that keeps it from being one."""

from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from orchestrator.config import fields
from orchestrator.config.checks.names import check
from orchestrator.config.models import Config
from orchestrator.config.problems import Path, Problem
from orchestrator.config.repair import repair, widened
from orchestrator.config.suggest import closest
from orchestrator.config.translate import translate


def understand(raw: dict[str, Any]) -> tuple[Config | None, list[Problem]]:
    """Return the configuration, and what is wrong with it. ``None`` only with a problem."""
    try:
        config = Config.model_validate(raw)
    except ValidationError as error:
        errors = error.errors(include_url=False)
        return None, [*translate(errors), *_beyond(raw, errors)]
    return config, check(config)


def _beyond(raw: dict[str, Any], errors: list[ErrorDetails]) -> list[Problem]:
    """Return what is wrong beside ``errors``, as far as it can be told in spite of them."""
    broken = [(fields.without_tags(error["loc"]), _meant(error)) for error in errors]
    try:
        config = Config.model_validate(repair(raw, broken))
    except ValidationError:
        return []
    spoilt = {widened(path) for path, _ in broken}
    return [problem for problem in check(config) if not _is_in(problem.at, spoilt)]


def _is_in(path: Path, spoilt: set[Path]) -> bool:
    return any(path[:length] in spoilt for length in range(1, len(path) + 1))


def _meant(error: ErrorDetails) -> str | None:
    if error["type"] != "extra_forbidden":
        return None
    *table, key = error["loc"]
    return closest(str(key), fields.keys(tuple(table))) or ""
