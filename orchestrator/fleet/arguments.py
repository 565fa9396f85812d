"""What ``context.get_x_argument()`` gives for a target: ``x`` of the file, filled."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType

from orchestrator.config.models import Config
from orchestrator.config.template import Secret, Template, parse
from orchestrator.fleet.target import Target


def x_arguments(
    config: Config, target: Target, secret: Callable[[Secret], str], given: Sequence[str] = ()
) -> tuple[str, ...]:
    """Return ``KEY=VALUE`` as Alembic's ``-x`` takes it: the file's, then those ``given``.

    What is given on the command line replaces the file's of the same key. Raises ``ValueError``
    for a placeholder that the target has no label for.
    """
    replaced = {argument.partition("=")[0] for argument in given}
    filled = _filled(config, target)
    own = (
        key if value is None else f"{key}={value.resolve(secret)}"
        for key, value in filled.items()
        if key not in replaced
    )
    return (*own, *given)


def x_secrets(config: Config, target: Target) -> Iterator[Secret]:
    """Yield the secrets that the target's arguments need. Raises ``ValueError`` as above."""
    for value in _filled(config, target).values():
        if value is not None:
            yield from value.secrets


XOfClass = tuple[tuple[str, str | None], ...]


def x_of_class(config: Config, target: Target) -> XOfClass:
    """Return the file's arguments, the tenant's name and the secrets left open.

    With them a target's ``env.py`` may choose what it compares: a label that says so is filled in.
    Its name only tells where the target is.
    """
    filled = _filled(config, target, {"tenant": "{tenant}", "name": "{tenant}"})
    return tuple((key, None if value is None else str(value)) for key, value in filled.items())


def labels_of(target: Target) -> dict[str, str]:
    """Return what placeholders of a target are filled with."""
    labels = {**target.labels, "environment": target.environment, "database": target.database}
    if target.tenant is not None:
        labels["tenant"] = target.tenant
    return labels


def place(config: Config, target: Target) -> str | None:
    """Return the place that a target's jobs ask for; ``None`` where any will do.

    Raises ``ValueError`` for a placeholder that the target has no label for.
    """
    asked = config.environments[target.environment].place
    if asked is None or config.engine.kind == "local":
        return None
    try:
        return str(parse(asked).fill(labels_of(target)))
    except KeyError as error:
        raise ValueError(
            f"nothing fills {{{error.args[0]}}} in place of environments.toml: "
            f"{target.name} has no such label"
        ) from None


def _filled(
    config: Config, target: Target, instead: Mapping[str, str] = MappingProxyType({})
) -> Mapping[str, Template | None]:
    """Each key with its value, ``None`` for a key alone."""
    environment = config.environments[target.environment]
    own = environment.databases.get(target.database)
    settings = {**environment.x, **(own.x if own else {})}
    if not settings:
        return {}
    labels = labels_of(target)
    labels |= {label: text for label, text in instead.items() if label in labels}
    try:
        return {
            key: parse(value).fill(labels) if isinstance(value, str) else None
            for key, value in settings.items()
        }
    except KeyError as error:
        raise ValueError(
            f"nothing fills {{{error.args[0]}}} in x of environments.toml: "
            f"{target.name} has no such label"
        ) from None
