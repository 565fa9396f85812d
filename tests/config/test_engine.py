"""``[engine]``: a scheduler that is not on this machine is spoken to with certificates."""

import pytest

from orchestrator.config.checks.engine import address_problem, check_engine, check_place
from orchestrator.config.engine import Engine, Security

CERTIFICATES = Security(ca="ca.pem", cert="cert.pem", key="key.pem")


@pytest.mark.parametrize(
    ("scheduler", "protected"),
    [
        ("tcp://127.0.0.1:8786", False),
        ("tcp://localhost:8786", False),
        ("tcp://[::1]:8786", False),
        ("tls://scheduler.ops:8786", True),
        ("tls://127.0.0.1:8786", True),
        ("local", False),
        ("local", True),
    ],
)
def test_what_is_protected_or_here_is_right(scheduler: str, protected: bool) -> None:
    assert address_problem(scheduler, protected=protected) is None


@pytest.mark.parametrize(
    ("scheduler", "protected", "says"),
    [
        ("tcp://scheduler.ops:8786", False, "is not protected"),
        ("tcp://10.0.0.1:8786", False, "is not protected"),
        ("tcp://127.0.0.1.example.com:8786", False, "is not protected"),
        ("tcp://127.0.0.1:8786", True, "is not protected"),
        ("tls://scheduler.ops:8786", False, "needs certificates"),
        ("scheduler.ops:8786", True, "is no address"),
        ("http://scheduler.ops:8786", True, "is no address"),
        ("tls://scheduler.ops", True, "is no address"),
    ],
)
def test_all_else_is_told(scheduler: str, protected: bool, says: str) -> None:
    problem = address_problem(scheduler, protected=protected)

    assert problem is not None
    assert says in problem[0]


@pytest.mark.parametrize(
    ("engine", "says"),
    [
        (Engine(kind="dask"), "'scheduler' is missing"),
        (Engine(scheduler="tcp://127.0.0.1:1"), "'scheduler' is of a cluster"),
        (Engine(security=CERTIFICATES), "'security' is of a cluster"),
        (Engine(kind="dask", scheduler="tls://{region}:1"), "nothing fills {region}"),
        (Engine(kind="dask", scheduler="tcp://scheduler.ops:1"), "is not protected"),
    ],
)
def test_a_mistake_is_told(engine: Engine, says: str) -> None:
    assert [says in problem.message for problem in check_engine(engine)] == [True]


def test_a_secret_is_looked_at_once_it_is_known() -> None:
    assert not list(check_engine(Engine(kind="dask", scheduler="${env:DASK_SCHEDULER}")))


@pytest.mark.parametrize(
    ("place", "says"), [("eu", ""), ("{region}", ""), ("*", "takes any"), ("${env:X}", "no secret")]
)
def test_a_place_is_a_name_and_no_secret(place: str, says: str) -> None:
    found = [problem.message for problem in check_place(("environments", "prod"), place)]
    assert len(found) == bool(says)
    assert all(says in message for message in found)
