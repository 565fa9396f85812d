"""The labels of a tenant, from wherever tenants are listed."""

from collections.abc import Mapping
from sys import intern

from orchestrator.config.tenants import Tenant

TenantLabels = Mapping[str, str]
"""What is known of a tenant, as text. It always has a ``name``."""


def labels_of(item: Tenant | str) -> TenantLabels:
    """Return the labels of a tenant that is listed in the file."""
    if isinstance(item, str):
        return {"name": item}
    return labels_from_row({"name": item.name, **(item.model_extra or {})})


def labels_from_row(row: Mapping[str, object]) -> TenantLabels:
    """Return the labels in a row of a source.

    Values become text as a person would write them: ``True`` is ``true``, ``5`` is ``5``. A
    ``None`` is no label at all, so that a placeholder which needs it is reported rather than
    filled with nothing. Raises ``ValueError`` for a row without a name or with a value that is
    no text.
    """
    labels = {
        intern(str(key)): intern(text)
        for key, value in row.items()
        if (text := _text(key, value)) is not None
    }
    if not labels.get("name"):
        known = ", ".join(row) or "nothing"
        raise ValueError("has an empty name" if "name" in row else f"has no name, only {known}")
    return labels


def _text(label: str, value: object) -> str | None:
    if value is None:
        return None
    if isinstance(value, str):
        return _encodable(label, str(value))
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Mapping | list | tuple | set):
        kind = "table" if isinstance(value, Mapping) else "list"
        raise ValueError(f"label '{label}' is a {kind}; a label is text, a number, true or false")
    if isinstance(value, bytes | bytearray):
        try:
            return value.decode()
        except UnicodeDecodeError:
            raise ValueError(f"label '{label}' is binary; a label is text") from None
    return str(value)


def _encodable(label: str, text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:  # half a character, as JSON can have it
        raise ValueError(f"label '{label}' is not Unicode text") from None
    if "\0" in text:
        raise ValueError(f"label '{label}' has a NUL character in it")
    return text
