"""Look at labels before they are put into an address, and at the address that comes of it."""

from collections import Counter
from collections.abc import Mapping, Sequence

from orchestrator.config.models import Config
from orchestrator.config.names import RESERVED_LABELS, label_problem, tenant_name_problem
from orchestrator.config.problems import Path, did_you_mean
from orchestrator.config.tenants import Tenant
from orchestrator.fleet.address import OWN_LABELS, Address, AddressTemplate
from orchestrator.fleet.findings import Findings
from orchestrator.fleet.labels import TenantLabels
from orchestrator.fleet.location import in_memory
from orchestrator.fleet.placement import Placement
from orchestrator.fleet.rules import places

_LONGEST_SCHEMA = 63


class Inspector:
    """Inspects the targets of one database in one environment, noting every mistake."""

    def __init__(
        self, where: Placement, template: AddressTemplate, config: Config, findings: Findings
    ) -> None:
        self._where = where
        self._template = template
        self._config = config
        self._findings = findings
        self._places = places(template.blank)

    def passes(self, index: int | None, labels: Mapping[str, str]) -> bool:
        """Whether every label is there and fits its place. ``index`` is the tenant's."""
        missing = sorted(self._template.labels.difference(labels))
        for label in missing:
            self._note_missing(label, labels)
        if missing:
            return False
        fits = True
        for label, place in self._places:
            flaw = place.flaw(labels[label])
            if flaw is not None:
                fits = False
                at = self._at(label, index, labels)
                self._findings.add(at, f"label '{label}': {flaw}", repr(labels[label]))
        return fits

    def look_at(self, address: Address) -> None:
        """Check what only shows in an address as a whole."""
        if address.whole:
            return
        database, backend = str(address.database), address.backend
        if backend == "sqlite":
            self._check_path(address, database)
        elif not address.database.secrets:
            self._check_length(backend, database)
        if address.schema and backend != "postgresql":
            self._findings.add(self._where.schema_at, f"{backend} has no schemas; leave it out")
        elif not address.schema.secrets and len(str(address.schema).encode()) > _LONGEST_SCHEMA:
            what = f"the name of a schema is longer than {_LONGEST_SCHEMA} bytes"
            self._findings.add(self._where.schema_at, what, str(address.schema))

    def note_no_tenants(self) -> None:
        """Note that there is nobody to fill the labels."""
        label = min(self._template.tenant_labels)
        self._findings.add(
            self._at_label(label),
            f"no label fills {{{label}}}: the environment has no tenants",
            hint='list them: tenants = ["acme", "birch"]',
        )

    def _note_missing(self, label: str, labels: Mapping[str, str]) -> None:
        known = sorted(labels)
        guess = did_you_mean(label, known)
        hint = guess or f"labels there are: {', '.join(known)}"
        what = f"no label fills {{{label}}} for tenants"
        self._findings.add(self._at_label(label), what, labels["name"], hint)

    def _check_length(self, backend: str, database: str) -> None:
        if backend in ("mysql", "mariadb"):
            if not database:
                self._findings.add(self._where.url_at, "the URL names no database")
            if len(database) > 64:
                what = "the name of a database is longer than 64 characters"
                self._findings.add(self._where.url_at, what, database)
        elif backend == "postgresql" and len(database.encode()) > 63:
            what = "the name of a database is longer than 63 bytes"
            self._findings.add(self._where.url_at, what, database)

    def _check_path(self, address: Address, path: str) -> None:
        query = {key: str(value) for key, value in address.query}
        if in_memory(path, query):
            what = "a database in memory is gone when the connection is; name a file"
            self._findings.add(self._where.url_at, what)

    def _at(self, label: str, index: int | None, labels: Mapping[str, str]) -> Path:
        if index is None or label in OWN_LABELS:
            return self._at_label(label)
        return label_at(self._config, self._where.environment, index, labels["name"], label)

    def _at_label(self, label: str) -> Path:
        in_url = f"{{{label}}}" in self._where.url
        return self._where.url_at if in_url else self._where.schema_at


def label_at(config: Config, environment: str, index: int, name: str, label: str) -> Path:
    """Return where the file gives a label to a tenant, or says where tenants come from.

    ``index`` is the tenant's among those it was read with, which may not be all of the file's.
    """
    at: Path = ("environments", environment, "tenants")
    tenants = config.environments[environment].tenants
    if not isinstance(tenants, tuple):
        return at
    if index >= len(tenants) or _name(tenants[index]) != name:
        found = (at for at, tenant in enumerate(tenants) if _name(tenant) == name)
        index = next(found, -1)
    if index < 0:
        return at
    if isinstance(tenants[index], Tenant):
        return (*at, index, "name" if label == "tenant" else label)
    return (*at, index)


def _name(tenant: Tenant | str) -> str:
    return tenant if isinstance(tenant, str) else tenant.name


def note_tenants(
    findings: Findings, config: Config, environment: str, rows: Sequence[TenantLabels]
) -> None:
    """Note tenants whose names or labels could not be told from others, or leave their place."""
    times = Counter(row["name"] for row in rows)
    top: Path = ("environments", environment, "tenants")
    for index, row in enumerate(rows):
        name = row["name"]
        at = label_at(config, environment, index, name, "name")
        if times[name] > 1:
            findings.add(top, "tenants of one name", repr(name))
        problem = tenant_name_problem(name)
        if problem is not None:
            findings.add(at, f"not a tenant's name, {problem}", repr(name))
        for label in RESERVED_LABELS.intersection(row):
            at = label_at(config, environment, index, name, label)
            findings.add(at, f"'{label}': {label_problem(label)}")
