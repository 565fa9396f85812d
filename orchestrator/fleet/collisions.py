"""Find targets that are one physical database or schema."""

from collections.abc import Sequence

from orchestrator.config.models import Config
from orchestrator.fleet.findings import Findings
from orchestrator.fleet.placement import placement
from orchestrator.fleet.target import Target
from orchestrator.fleet.version_table import VersionTable


def note_collisions(findings: Findings, config: Config, targets: Sequence[Target]) -> None:
    """Note every target whose place is the place of one before it."""
    seen: dict[tuple[str, str], Target] = {}
    for target in targets:
        key = target.address.identity, version_table_of(config, target)
        first = seen.setdefault(key, target)
        if first is not target and not _is_same(first, target):
            _note(findings, config, first, target)


def version_table_of(config: Config, target: Target) -> str:
    """Return what tells the histories of one physical database apart: their version tables.

    As the file says them, in lower case, since some servers make no difference.
    """
    said = config.databases[target.database].version_table
    return (said or VersionTable().name).lower()


def _is_same(first: Target, second: Target) -> bool:
    """Whether it is one tenant that is there twice, which is told by its name."""
    names = (second.environment, second.database, second.tenant)
    return (first.environment, first.database, first.tenant) == names


def _note(findings: Findings, config: Config, first: Target, second: Target) -> None:
    where = placement(config, second.environment, second.database)
    schema = second.address.schema
    place = f"{second.address}, schema {schema}" if schema else f"{second.address}"
    kind = "schema" if schema else "database"
    findings.add(
        where.url_at,
        f"targets of their own share one {kind}",
        f"{first.name} and {second.name} ({place})",
        _hint(first, second, "url or schema" if schema else "url"),
    )


def _hint(first: Target, second: Target, text: str) -> str:
    if first.environment != second.environment:
        return f"put {{environment}} into the {text}, or give each environment a server"
    if first.database != second.database:
        return (
            f"put {{database}} into the {text}; or, where each has a version table of its own, say "
            "so: version_table = … in [databases.…]"
        )
    return f"put {{tenant}} into the {text}, or another label that no two tenants share"
