"""The settings that apply to one database in one environment."""

from orchestrator.config.models import Config, Rollout


def creates(config: Config, environment: str, database: str) -> bool:
    """Return whether ``upgrade`` makes a database or schema that is not there."""
    settings = config.environments[environment]
    overrides = settings.databases.get(database)
    own = None if overrides is None else overrides.create
    return settings.create if own is None else own


def limits(config: Config, environment: str, database: str) -> Rollout:
    """Return the environment's rollout settings with the database's own in place of them.

    ``max_parallel`` and ``max_per_server`` stay the environment's: a database's own limits come
    on top of those, they don't replace them.
    """
    settings = config.environments[environment]
    overrides = settings.databases.get(database)
    if overrides is None:
        return settings.rollout
    own = {
        name: value
        for name in (
            "lock_timeout",
            "wait_for_lock",
            "statement_timeout",
            "target_timeout",
            "retries",
            "retry_delay",
        )
        if (value := getattr(overrides, name)) is not None
    }
    return settings.rollout.model_copy(update=own)
