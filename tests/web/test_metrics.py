"""Metrics, as Prometheus reads them."""

import json
import re
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from orchestrator.config.roles import Role
from tests.project_folder import ProjectFolder
from tests.web.conftest import Dashboard


def read(text: str) -> dict[str, list[Sample]]:
    """Return the samples of each family."""
    return {family.name: family.samples for family in text_string_to_metric_families(text)}


def value(samples: list[Sample], **labels: str) -> float:
    """Return the one sample with some labels."""
    found = [one for one in samples if labels.items() <= one.labels.items()]
    assert len(found) == 1, found
    return found[0].value


def test_what_a_run_at_a_gate_looks_like(dashboard: Dashboard) -> None:
    browser = dashboard.signed_in(Role.VIEWER)
    found = read(browser.get("/metrics").text)
    assert value(found["orchestrator_runs"], verb="upgrade", state="waiting") == 1
    assert value(found["orchestrator_runs"], verb="upgrade", state="done") == 0
    targets = found["orchestrator_run_targets"]
    assert value(targets, state="done", environment="prod", database="app") == 1
    assert value(targets, state="open") == 2
    assert value(targets, state="failed") == 1
    assert value(found["orchestrator_attempts"], state="failed") == 1
    assert value(found["orchestrator_gate_wait_seconds"], run="1", wave="prod/canary") >= 0
    durations = found["orchestrator_attempt_duration_seconds"]
    assert value([one for one in durations if one.name.endswith("_count")]) == 2
    buckets = [one.value for one in durations if one.name.endswith("_bucket")]
    assert buckets == sorted(buckets)
    assert buckets[-1] == 2
    last = value(found["orchestrator_last_success_timestamp_seconds"], project="fleet")
    assert abs(last - dashboard.site.ledger.now() / 1000) < 3600


def test_a_program_sends_its_token_along(dashboard: Dashboard) -> None:
    access = dashboard.site.ledger.access
    token = access.add("prometheus", Role.VIEWER, "test", None)
    scraper = dashboard.browser(authorization=f"Bearer {token}")
    answer = scraper.get("/metrics")
    assert answer.status_code == 200
    assert "set-cookie" not in answer.headers
    assert scraper.get("/runs/1/approve").status_code == 403
    access.revoke(access.tokens()[-1].id)
    assert scraper.get("/metrics").status_code == 303
    operator = access.add("robot", Role.OPERATOR, "test", None)
    robot = dashboard.browser(authorization=f"Bearer {operator}")
    assert robot._send("POST", "/runs/1/abort", data={"reason": "x"}).status_code == 403
    assert dashboard.site.ledger.run(1).state == "waiting"


def test_a_ledger_without_runs(shop: ProjectFolder) -> None:
    file = shop.folder / "runs.prom"
    path = str(shop.folder / "nowhere" / "runs.prom")
    refused = shop.run("upgrade", "--yes", "--no-wait", "--metrics", path, code=2)
    assert f"--metrics {path}" in refused.err
    assert "run 1" not in shop.run("runs").out
    shop.run("upgrade", "--yes", "--no-wait", "--metrics", str(file), code=6)
    found = read(file.read_text())
    assert value(found["orchestrator_runs"], verb="upgrade", state="waiting") == 1
    assert file.stat().st_mode & 0o044 == 0o044  # whoever collects it is another user


GRAFANA = Path(__file__).parents[2] / "docs/grafana/orchestrator.json"


def test_the_example_of_grafana_is_one_and_asks_for_what_there_is(dashboard: Dashboard) -> None:
    from grafana_foundation_sdk.cog.plugins import register_default_plugins
    from grafana_foundation_sdk.models.dashboard import Dashboard as Grafana

    register_default_plugins()
    read_back = Grafana.from_json(json.loads(GRAFANA.read_text()))
    assert read_back.title == "Alembic orchestrator"
    panels = read_back.panels or []
    asked = [target.expr for panel in panels for target in panel.targets or []]
    text = dashboard.signed_in(Role.VIEWER).get("/metrics").text
    samples = {one.name for of in read(text).values() for one in of}
    labels = {label for of in read(text).values() for one in of for label in one.labels}
    for expression in asked:
        named = set(re.findall(r"orchestrator_\w+", expression))
        assert named, expression
        assert named <= samples, expression
        by = {
            name.strip()
            for found in re.findall(r"by \(([^)]*)\)", expression)
            for name in found.split(",")
        }
        assert by <= labels | {"le"}, expression
    assert len(asked) == 7
