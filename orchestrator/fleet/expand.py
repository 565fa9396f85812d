"""From what the file declares to targets: each tenant, each database, each with its address."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from orchestrator.config.models import Config
from orchestrator.config.problems import Problems
from orchestrator.fleet.collisions import note_collisions
from orchestrator.fleet.findings import Findings
from orchestrator.fleet.inspector import Inspector, note_tenants
from orchestrator.fleet.labels import TenantLabels
from orchestrator.fleet.placement import Placement, placement
from orchestrator.fleet.target import Target

_NO_LABELS: TenantLabels = {}


def expand(
    config: Config, folder: Path, tenants: Mapping[str, Sequence[TenantLabels]]
) -> tuple[Target, ...]:
    """Return the targets of the environments that ``tenants`` has, database by database.

    No label's value has left its place in an address, and no two targets are one physical
    database or schema, as far as can be told before secrets are known. Raises ``Problems`` with
    every mistake that there is.
    """
    findings = Findings()
    targets: list[Target] = []
    for environment, rows in tenants.items():
        note_tenants(findings, config, environment, rows)
        for database in config.databases:
            try:
                where = placement(config, environment, database)
                targets += _targets(where, config, folder, rows, findings)
            except Problems as problems:
                findings.extend(problems)
    note_collisions(findings, config, targets)
    findings.raise_if_any()
    return tuple(targets)


def target(
    config: Config, folder: Path, environment: str, database: str, labels: TenantLabels
) -> Target:
    """Return one target from names and a tenant's labels: what a worker makes of a job.

    ``labels`` of a shared target are not looked at. Raises ``Problems`` like ``expand``.
    """
    findings = Findings()
    where = placement(config, environment, database)
    found = list(_targets(where, config, folder, [labels] if labels else [], findings))
    findings.raise_if_any()
    return found[0]


def _targets(
    where: Placement, config: Config, folder: Path, rows: Sequence[TenantLabels], findings: Findings
) -> Iterator[Target]:
    template = where.template(folder)
    inspector = Inspector(where, template, config, findings)
    environment, database = where.environment, where.database
    if not template.tenant_labels:
        if inspector.passes(None, where.own_labels):
            address = template.fill(where.own_labels)
            inspector.look_at(address)
            yield Target(environment, database, None, _NO_LABELS, address)
        return
    if not rows:
        inspector.note_no_tenants()
    for index, row in enumerate(rows):
        labels = {**row, **where.own_labels, "tenant": row["name"]}
        if inspector.passes(index, labels):
            address = template.fill(labels)
            inspector.look_at(address)
            yield Target(environment, database, row["name"], row, address)
