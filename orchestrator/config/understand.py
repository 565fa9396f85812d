"""From parsed TOML to a ``Config``, or to every mistake that keeps it from being one."""

from typing import Any

from pydantic import ValidationError

from orchestrator.config.models import Config
from orchestrator.config.problems import Problem


def understand(raw: dict[str, Any]) -> tuple[Config | None, list[Problem]]:
    """Return the configuration, and what is wrong with it. ``None`` only with a problem."""
    try:
        return Config.model_validate(raw), []
    except ValidationError as error:
        return None, [Problem(tuple(x["loc"]), x["msg"]) for x in error.errors(include_url=False)]
