import datetime
import decimal

import pytest

from orchestrator.config.tenants import Tenant
from orchestrator.fleet.labels import labels_from_row, labels_of


def test_a_name_alone_is_a_tenant():
    assert labels_of("acme") == {"name": "acme"}


def test_values_become_text_as_a_person_would_write_them():
    tenant = Tenant.model_validate({"name": "acme", "vip": True, "shard": 5, "weight": 0.5})
    assert labels_of(tenant) == {"name": "acme", "vip": "true", "shard": "5", "weight": "0.5"}


def test_rows_of_any_source_become_text():
    row = {
        "name": b"acme",
        "since": datetime.date(2024, 2, 29),
        "price": decimal.Decimal("1.50"),
        "region": None,
        "tier": "",
    }
    assert labels_from_row(row) == {
        "name": "acme",
        "since": "2024-02-29",
        "price": "1.50",
        "tier": "",
    }


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"tier": "free"}, "has no name, only tier"),
        ({}, "has no name, only nothing"),
        ({"name": None}, "has an empty name"),
        ({"name": ""}, "has an empty name"),
        ({"name": "a", "tags": ["x"]}, "label 'tags' is a list"),
        ({"name": "a", "tags": {"x": 1}}, "label 'tags' is a table"),
        ({"name": "a", "key": b"\xff"}, "label 'key' is binary"),
        ({"name": "a", "key": "\ud800"}, "label 'key' is not Unicode text"),
        ({"name": "a", "key": "a\0"}, "label 'key' has a NUL character"),
    ],
)
def test_what_is_no_tenant_is_refused(row, message):
    with pytest.raises(ValueError, match=message):
        labels_from_row(row)
