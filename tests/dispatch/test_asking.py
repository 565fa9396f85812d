"""Which targets one job looks at."""

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.dispatch.asking import _groups
from orchestrator.fleet.arguments import place
from orchestrator.fleet.version_table import VersionTable
from orchestrator.inspection.subject import Subject
from tests.fleet.examples import make_config, rows, targets_of

PROD = {
    "url": "mysql+pymysql://app@{server}/{tenant}",
    "place": "{region}",
    "tenants": rows("nobody", server="s", region="r"),
}
CONFIG = make_config({"app": ()}, prod=PROD).model_copy(
    update={"engine": make_config(prod=PROD).engine.model_copy(update={"kind": "dask"})}
)


@given(st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from("xyz")), min_size=1, max_size=40))
def test_a_job_looks_at_targets_of_one_server_in_one_place(where: list[tuple[str, str]]) -> None:
    tenants = [
        {"name": f"t{n}", "server": server, "region": region}
        for n, (server, region) in enumerate(where)
    ]
    targets = targets_of(CONFIG, prod=tenants)

    groups = list(_groups(CONFIG, [(t, Subject.of(t, VersionTable())) for t in targets], 3))

    assert sorted(s.target for of in groups for _, s in of) == sorted(t.name for t in targets)
    for group in groups:
        assert len(group) <= 3
        assert len({(target.server, place(CONFIG, target)) for target, _ in group}) == 1
        assert all(subject.target == target.name for target, subject in group)
    # As few as can be: all are full, but for one of each server and place.
    kinds = [(of[0][0].server, place(CONFIG, of[0][0])) for of in groups if len(of) < 3]
    assert len(kinds) == len(set(kinds))
