"""What people do on pages: the same as at a terminal, with their names."""

from collections.abc import Callable

import pytest

from orchestrator.config.roles import Role
from orchestrator.rollout.outcomes import State
from tests.project_folder import ProjectFolder, wait_until
from tests.web.conftest import BEGAN, Dashboard

CREATE = "op.create_table('items', sa.Column('id', sa.Integer))"


def states(dashboard: Dashboard) -> dict[str, State | None]:
    return {row.name.rpartition("/")[2]: row.state for row in dashboard.site.ledger.targets(1)}


def test_approve_says_what_happens_then_and_lets_the_run_go_on(
    dashboard: Dashboard, waiting: ProjectFolder
) -> None:
    browser = dashboard.signed_in(Role.APPROVER)
    page = browser.get("/runs/1/approve").text
    assert "<strong>2 targets</strong> of prod/rest may start" in page
    assert dashboard.site.ledger.run(1).digest[:12] in page
    assert browser.post("/runs/1/approve", reason=" looks \n good ").status_code == 303
    (approval,) = dashboard.site.ledger.approvals(1)
    assert (approval.by, approval.note) == ("lou", "looks good")
    waiting.run("resume", "1", code=None)
    assert states(dashboard)["t3"] is State.DONE


def test_an_irreversible_revision_is_named_before_it_is_approved(
    shop: ProjectFolder, dashboards: Callable[..., Dashboard]
) -> None:
    shop.revision("a2", "a1", "op.execute('SELECT 1')", "raise NotImplementedError", message="gone")
    shop.run("upgrade", "--yes", "--no-wait", code=None)
    page = dashboards(shop).signed_in(Role.APPROVER).get("/runs/1/approve").text
    assert "gone" in page
    assert page.count("irreversible") == 1


def test_what_the_plan_does_not_know_is_not_taken_for_nothing(
    shop: ProjectFolder, dashboards: Callable[..., Dashboard]
) -> None:
    """Revisions that are no plain files of the project are known to workers alone."""
    package = shop.folder / "lib/elsewhere"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (shop.folder / "migrations/app").rename(package / "app")
    path = shop.folder / "environments.toml"
    path.write_text(path.read_text().replace('"migrations/app"', '"elsewhere:app"'))
    shop.environ["PYTHONPATH"] = str(shop.folder / "lib")
    shop.run("upgrade", "--yes", "--no-wait", code=6)
    browser = dashboards(shop).signed_in(Role.APPROVER)
    for page in ("approve", "plan"):
        text = " ".join(browser.get(f"/runs/1/{page}").text.split())
        assert "is known only once they start" in text, page


def test_pause_abort_and_skip(dashboard: Dashboard) -> None:
    browser = dashboard.signed_in(Role.OPERATOR)
    assert browser.post("/runs/1/pause").status_code == 303
    assert dashboard.site.ledger.run(1).stopped_by == "lou"
    answer = browser.post("/runs/1/skip", target="prod/app/t1")
    assert answer.status_code == 422
    assert "give a reason" in answer.text
    answer = browser.post("/runs/1/skip", target="prod/app/t1", reason="it is theirs")
    assert answer.status_code == 303
    assert states(dashboard)["t1"] is State.SKIPPED
    answer = browser.post("/runs/1/skip", target="prod/app/t0", reason="x")
    assert answer.status_code == 409
    assert "is done in run 1" in answer.text
    assert browser.post("/runs/1/abort", reason="enough").status_code == 303
    run = dashboard.site.ledger.run(1)
    assert (run.state, run.stopped_by) == ("aborted", "lou")
    actions = [(one.action, one.by) for one in dashboard.site.ledger.access.audit(1)]
    assert actions == [(a, "lou") for a in ("abort", "skip", "skip", "pause")]


def test_what_is_asked_is_taken_up_by_who_drives(
    dashboard: Dashboard, waiting: ProjectFolder
) -> None:
    browser = dashboard.signed_in(Role.OPERATOR)
    waiting.revision("a1", None, CREATE, "op.drop_table('items')", message="a revision")
    refused = waiting.run("resume", "--requested")  # nothing is asked yet
    assert refused.err == ""
    answer = browser.post("/runs/1/retry", target="prod/app/nobody")
    assert answer.status_code == 409
    assert browser.post("/runs/1/retry", reason="fixed it").status_code == 303
    assert "lou asked to retry it" in browser.get("/runs/1").text
    ran = waiting.run("resume", "--requested", code=None)
    assert ran.err.startswith("run 1: lou asked to retry it: fixed it\n")
    # The revision is another one now than was planned: that is refused, told, and not tried again.
    assert dashboard.site.ledger.asked() == []
    assert ran.code == 5
    assert "not done" in browser.get("/audit").text


def test_a_watcher_takes_up_what_comes(dashboard: Dashboard, waiting: ProjectFolder) -> None:
    browser = dashboard.signed_in(Role.OPERATOR)
    watcher = waiting.start("resume", "--requested", "--watch", "--no-wait")
    browser.post("/runs/1/approve")
    browser.post("/runs/1/resume")
    wait_until(lambda: dashboard.site.ledger.run(1).state == "done")
    assert states(dashboard)["t3"] is State.DONE
    assert dashboard.site.ledger.asked() == []
    watcher.interrupt()
    watcher.wait(130)


def test_why_nobody_could_do_what_was_asked_is_told(
    shop: ProjectFolder, dashboards: Callable[..., Dashboard]
) -> None:
    """Another run came in between, and has targets of it to do."""
    path = shop.folder / "environments.toml"
    path.write_text(path.read_text().replace("max_failures = 1", "max_failures = 0"))
    breaks = (
        f"{CREATE}\nif 't1' in str(op.get_bind().engine.url) and not os.path.exists('fixed'):\n"
    )
    shop.revision("a1", None, breaks + "    raise RuntimeError('no')")
    shop.run("upgrade", "--yes", "--no-wait", code=3)
    (shop.folder / "fixed").touch()
    shop.run("upgrade", "--yes", "--no-wait", code=6)
    browser = dashboards(shop).signed_in(Role.OPERATOR)
    assert browser.post("/runs/1/retry").status_code == 303
    assert "run 2 is waiting" in shop.run("resume", "--requested", code=5).err
    assert "not done: run 2 is waiting" in browser.get("/audit").text


def test_a_run_that_goes_on_is_not_asked_to(
    shop: ProjectFolder, dashboards: Callable[..., Dashboard]
) -> None:
    shop.revision("a2", "a1", "time.sleep(20)")
    started = shop.start("upgrade", "--yes", "--no-wait")
    there = dashboards(shop)
    wait_until(lambda: there.site.ledger.attempts(1))
    answer = there.signed_in(Role.OPERATOR).post("/runs/1/resume")
    assert answer.status_code == 409
    assert "goes on already" in answer.text
    started.kill()


FOUR_EYES = ("approval = true", 'approval = { by = "another" }')


@pytest.mark.parametrize("who", [BEGAN, "kim", "KIM@elsewhere"])
def test_who_began_a_run_does_not_approve_it(
    shop: ProjectFolder, dashboards: Callable[..., Dashboard], who: str
) -> None:
    path = shop.folder / "environments.toml"
    path.write_text(path.read_text().replace(*FOUR_EYES))
    shop.run("upgrade", "--yes", "--no-wait", code=None)
    there = dashboards(shop)
    # As if kim had begun it.
    from sqlalchemy import update

    from orchestrator.ledger.tables import runs

    with there.site.ledger._database.writing() as connection:
        connection.execute(update(runs).values(by=BEGAN))
    answer = there.signed_in(Role.OPERATOR, who).post("/runs/1/approve")
    assert answer.status_code == 409
    assert f"was begun by {BEGAN}: who began it may not approve it" in answer.text
    assert shop.run("approve", "1", "--by", who, code=5).out == ""
    # Nor does it count where an older program let it into the ledger.
    there.site.ledger.approve(1, 0, who)
    assert "by another than kim@laptop" in shop.run("resume", "1", "--no-wait", code=6).err
    assert there.signed_in(Role.APPROVER, "lou").post("/runs/1/approve").status_code == 303
    shop.run("resume", "1", "--no-wait", code=None)
    assert states(there)["t3"] is State.DONE
