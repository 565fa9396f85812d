"""What a worker records before it can't be rolled back, and what follows a worker that died."""

import os
import signal
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from orchestrator.config.load import load
from orchestrator.engines.base import Finished, Lost, Message
from orchestrator.engines.local import LocalEngine
from orchestrator.rollout.outcomes import Outcome, State
from orchestrator.worker.context import Context
from orchestrator.worker.entry import PRELOAD, work
from orchestrator.worker.jobs import Committing, Go, Job, Verb
from orchestrator.worker.process.isolation import unchanged_process
from orchestrator.worker.serve import run
from tests.real.conftest import Fleet
from tests.workshop import wait_until

CREATE = 'op.create_table("items", sa.Column("n", sa.Integer))'
INSERT = 'op.execute("INSERT INTO items (n) VALUES (1)")'
ADD = 'op.add_column("items", sa.Column("price", sa.Integer))'
AUTOCOMMIT = """
with op.get_context().autocommit_block():
    op.execute("CREATE INDEX CONCURRENTLY by_n ON items (n)")
"""
OWN_ENGINE = """
engine = sa.create_engine(op.get_bind().engine.url, poolclass=sa.NullPool)
with engine.begin() as other:
    assert other.execute(sa.text("SELECT count(*) FROM log")).scalar() is not None
    other.execute(sa.text("INSERT INTO log VALUES (7)"))
"""
DRIVER = f"""
driver = op.get_bind().connection.dbapi_connection
driver.commit()
driver.autocommit = True
{INSERT}
driver.autocommit = False
"""
CATCHES = """
for statement in ("ALTER TABLE items ADD a INTEGER", "ALTER TABLE items ADD b INTEGER"):
    try:
        op.execute(statement)
    except Exception:
        pass
"""


class Desk:
    """Jobs for the first tenant of a fleet, run here or by a worker."""

    def __init__(self, fleet: Fleet, **rollout: Any) -> None:
        self.fleet = fleet
        fleet.declare(1, **rollout)
        os.environ.update(fleet.workshop.environ)
        fleet.workshop.revision("a1", None, CREATE, 'op.drop_table("items")')
        self.asked: list[Committing] = []
        self.seen: Any = None
        self.context = Context({}, notify=lambda _: None, record=self.record)
        self.answer = True
        self.look: Callable[[], Any] = lambda: None

    def record(self, committing: Committing) -> bool:
        self.asked.append(committing)
        self.seen = self.look()
        return self.answer

    def job(self, verb: Verb = Verb.UPGRADE, **options: Any) -> Job:
        file = load(self.fleet.workshop.folder / "environments.toml")
        labels = {"name": "t000"}
        options = {"recorded": True, **options}
        return Job(verb, file.path, file.digest, "app", "prod", labels, **options)

    def run(self, verb: Verb = Verb.UPGRADE, **options: Any) -> Outcome:
        self.context = Context({}, notify=lambda _: None, record=self.record)
        self.asked.clear()
        with unchanged_process():
            return run(self.job(verb, **options), self.context)

    def columns(self) -> set[str]:
        table = {"sqlite": "SELECT name FROM pragma_table_info('items')"}.get(
            self.fleet.kind,
            "SELECT column_name FROM information_schema.columns WHERE table_name = 'items'"
            + (" AND table_schema = DATABASE()" if self.fleet.ddl_commits else ""),
        )
        return {row[0] for row in self.fleet.rows("t000", table)}

    def count(self, table: str = "items") -> int:
        found: int = self.fleet.rows("t000", f"SELECT count(*) FROM {table}")[0][0]
        return found


@pytest.fixture
def new_desk(monkeypatch: pytest.MonkeyPatch, new_fleet: Callable[[str], Fleet]) -> Any:
    monkeypatch.setenv("FLEET_PASSWORD", "")  # put back afterwards
    return lambda kind, **rollout: Desk(new_fleet(kind), **rollout)


@pytest.fixture(params=["sqlite", "mariadb", "mysql", "postgres"])
def desk(request: pytest.FixtureRequest, new_desk: Any) -> Desk:
    found: Desk = new_desk(request.param)
    return found


class Crew:
    """A worker of the desk's own."""

    def __init__(self, desk: Desk) -> None:
        folder = str(desk.fleet.workshop.folder)
        arguments = ({}, dict(os.environ), folder)
        self.desk = desk
        self.engine = LocalEngine(
            work, arguments, size=1, is_last=lambda c: isinstance(c, Outcome), preload=PRELOAD
        )

    def start(self, job: Job) -> int:
        """Submit a job and return its worker's process."""
        self.engine.submit("it", job, 60, kind="app")
        pid: int = self.engine._workers[-1].process.pid
        return pid

    def until_asked(self) -> Committing:
        while True:
            for event in self.engine.wait(5):
                assert isinstance(event, Message), event
                if isinstance(event.content, Committing):
                    return event.content

    def end(self) -> Finished | Lost:
        while True:
            for event in self.engine.wait(5):
                if not isinstance(event, Message):
                    return event


@pytest.fixture
def new_crew() -> Iterator[Callable[[Desk], Crew]]:
    crews: list[Crew] = []

    def make(desk: Desk) -> Crew:
        crews.append(Crew(desk))
        return crews[-1]

    yield make
    for crew in crews:
        crew.engine.close()


def died(desk: Desk, crew: Crew, when: Callable[[], Any]) -> Committing:
    """Let a worker be killed once it has been answered, and ``when`` is true."""
    pid = crew.start(desk.job())
    asked = crew.until_asked()
    crew.engine.answer("it", Go(ok=True))
    wait_until(when)
    os.kill(pid, signal.SIGKILL)
    assert isinstance(crew.end(), Lost)
    return asked


def test_ddl_that_commits_is_recorded_before_it_is_executed_and_once(desk: Desk) -> None:
    desk.look = lambda: "items" in desk.fleet.tables("t000")
    again = ADD.replace("price", "tax")
    desk.fleet.workshop.revision("b2", "a1", f"{INSERT}\n{ADD}\n{INSERT}\n{again}")

    assert desk.run(revision="a1").state is State.DONE

    told = [(c.revision, " ".join(c.statement.split())) for c in desk.asked]
    if desk.fleet.ddl_commits:
        assert told == [("a1", "CREATE TABLE items ( n INTEGER )")]
        assert desk.seen is False
    else:
        assert told == [], "its DDL is rolled back with its version"
    desk.look = desk.columns
    assert desk.run().state is State.DONE
    if desk.fleet.ddl_commits:
        assert [c.revision for c in desk.asked] == ["b2"]
        assert desk.seen == {"n"}


def test_reading_and_dml_are_not_recorded(desk: Desk) -> None:
    look = 'sa.inspect(op.get_bind()).has_table("items")'
    desk.fleet.workshop.revision("b2", "a1", f"{look}\n{INSERT}\nop.execute('/* x */ SELECT 1')")
    desk.run(revision="a1")

    assert desk.run().state is State.DONE

    assert desk.asked == []
    assert desk.count() == 1


def test_without_recorded_nobody_is_asked(desk: Desk) -> None:
    desk.answer = False

    assert desk.run(recorded=False).state is State.DONE

    assert desk.asked == []


@pytest.mark.parametrize(
    "upgrade",
    [f"{INSERT}\n{ADD}\n{INSERT}", f"{CATCHES}{INSERT}\n{INSERT}", f"{INSERT}\n{INSERT}{CATCHES}"],
    ids=["raises", "catches", "catches-last"],
)
def test_what_cant_be_recorded_is_not_executed(
    new_desk: Any, upgrade: str, mysql_like: str
) -> None:
    desk = new_desk(mysql_like)
    desk.fleet.workshop.revision("b2", "a1", upgrade)
    desk.fleet.workshop.revision("c3", "b2", INSERT)
    desk.run(revision="a1")
    desk.answer = False

    outcome = desk.run()

    assert outcome.state is State.FAILED
    assert "record can't be written" in outcome.failure.message
    assert outcome.failure.next_step == "resume the run"
    assert outcome.failure.revision == "b2"
    assert not outcome.failure.retryable
    assert not outcome.failure.half_applied
    assert outcome.heads == ("a1",)
    assert len(desk.asked) == 1
    assert desk.count() == 0
    assert desk.columns() == {"n"}
    desk.answer = True
    assert desk.run().state is State.DONE
    assert desk.count() == 3


def test_an_env_py_that_goes_on_commits_nothing_either(new_desk: Any) -> None:
    desk = new_desk("postgres")
    desk.run(revision="a1")
    env_py = desk.fleet.workshop.folder / "migrations/app/env.py"
    begun = "with context.begin_transaction():\n            context.run_migrations()\n\n\nif"
    caught = (
        "try:\n            context.run_migrations()\n        except Exception:\n"
        "            connection.commit()\n\n\nif"
    )
    text = env_py.read_text()
    assert begun in text
    env_py.write_text(text.replace(begun, caught))
    desk.fleet.workshop.revision("b2", "a1", f"{INSERT}\nop.execute('COMMIT; SELECT 1')")
    desk.answer = False

    outcome = desk.run()

    assert outcome.state is State.FAILED
    assert "record can't be written" in outcome.failure.message
    assert outcome.heads == ("a1",)
    assert desk.count() == 0


@pytest.mark.parametrize(
    "upgrade",
    [
        f"{INSERT}\n{AUTOCOMMIT}\n{INSERT}",
        f"{INSERT}\nop.execute('COMMIT; SELECT 1')\n{INSERT}",
        AUTOCOMMIT,
        DRIVER,
    ],
    ids=["block", "text", "block-first", "driver"],
)
def test_what_a_revision_commits_on_its_way_is_recorded(new_desk: Any, upgrade: str) -> None:
    desk = new_desk("postgres")
    desk.fleet.workshop.revision("b2", "a1", upgrade)
    desk.run(revision="a1")
    desk.answer = False

    refused = desk.run()

    assert refused.state is State.FAILED
    assert [c.revision for c in desk.asked] == ["b2"]
    assert (desk.count(), refused.heads, refused.failure.half_applied) == (0, ("a1",), False)
    desk.answer, desk.look = True, desk.count
    assert desk.run().state is State.DONE
    assert [c.revision for c in desk.asked] == ["b2"]
    assert desk.seen == 0, "asked before anything stays"
    assert desk.count() == upgrade.count(INSERT)


def test_a_commit_with_nothing_of_the_revision_before_it_is_not_recorded(new_desk: Any) -> None:
    desk = new_desk("postgres")
    block = "with op.get_context().autocommit_block(): op.execute('SHOW work_mem')"
    desk.fleet.workshop.revision("b2", "a1", f"{block}\n{INSERT}")

    assert desk.run().state is State.DONE

    assert desk.asked == []


@pytest.mark.parametrize("kind", ["mariadb", "mysql", "postgres"])
def test_a_commit_of_the_connection_is_recorded(new_desk: Any, kind: str) -> None:
    desk = new_desk(kind)
    desk.fleet.workshop.revision("b2", "a1", f"{INSERT}\nop.get_bind().commit()\n{INSERT}")
    desk.run(revision="a1")
    desk.answer = False

    assert desk.run().state is State.FAILED

    assert [(c.revision, c.statement) for c in desk.asked] == [("b2", "COMMIT")]
    assert desk.count() == 0


@pytest.mark.parametrize("kind", ["mariadb", "mysql", "postgres"])
def test_what_another_connection_writes_is_recorded(new_desk: Any, kind: str) -> None:
    desk = new_desk(kind)
    desk.fleet.workshop.revision("b2", "a1", OWN_ENGINE)
    desk.fleet.rows("t000", "CREATE TABLE log (n INTEGER)")
    desk.run(revision="a1")
    desk.answer = False

    assert desk.run().state is State.FAILED

    assert [c.statement.split()[0] for c in desk.asked] == ["INSERT"]
    assert desk.count("log") == 0


def test_what_is_recorded_shows_no_literal(new_desk: Any, mysql_like: str) -> None:
    desk = new_desk(mysql_like)
    crew = Crew(desk)
    desk.fleet.workshop.revision("b2", "a1", "op.execute(\"ALTER TABLE items COMMENT 's3cret'\")")
    desk.run(revision="a1")
    try:
        crew.start(desk.job())
        assert crew.until_asked() == Committing("b2", "ALTER TABLE items COMMENT '…'")
        crew.engine.answer("it", Go(ok=True))
        ended = crew.end()
        assert isinstance(ended, Finished)
        assert ended.content.state is State.DONE
        crew.engine.answer("it", Go(ok=True))  # nobody waits for it any more
    finally:
        crew.engine.close()


def test_a_worker_whose_orchestrator_died_executes_nothing_more(
    new_desk: Any, mysql_like: str
) -> None:
    desk = new_desk(mysql_like)
    crew = Crew(desk)
    pid = crew.start(desk.job())
    crew.until_asked()

    crew.engine._workers[0].pipe.close()

    wait_until(lambda: not os.path.exists(f"/proc/{pid}"))  # noqa: PTH110 - no path of the project
    assert desk.fleet.tables("t000") <= {"alembic_version"}
    crew.engine.kill()


WAIT = (
    "import os, time\nopen('waits', 'w').close()\nwhile not os.path.exists('go'): time.sleep(0.02)"
)


@pytest.fixture
def chain(new_desk: Any, mysql_like: str) -> Desk:
    """Twelve revisions: c3 writes, waits for a file, and writes; the others create a table each."""
    desk: Desk = new_desk(mysql_like)
    before = "a1"
    for number, name in enumerate("bcdefghijklm", 2):
        table = f"op.execute('CREATE TABLE {name}{number} (n INTEGER)')"
        waits = f"{INSERT}\n{WAIT}\n{INSERT}"
        desk.fleet.workshop.revision(
            f"{name}{number}", before, waits if name == "c" else table, "pass"
        )
        before = f"{name}{number}"
    return desk


def until_c3_waits(chain: Desk, crew: Crew) -> None:
    """Answer a worker until no more is recorded than what it has begun to commit."""
    said: dict[str, tuple[str, ...]] = {}
    while {one for first, following in said.items() for one in (first, *following)} != {"a1", "b2"}:
        asked = crew.until_asked()
        said[asked.revision] = asked.following
        if asked.waits:
            crew.engine.answer("it", Go(ok=True))
    wait_until((chain.fleet.workshop.folder / "waits").exists)


def test_quick_revisions_are_recorded_together(
    chain: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    # whatever else this machine does
    monkeypatch.setattr("orchestrator.worker.statements.journal._SLOW", 60)
    (chain.fleet.workshop.folder / "go").touch()

    assert chain.run().heads == ("m13",)

    first, second = chain.asked
    assert (first.revision, len(first.following), first.following[-1]) == ("a1", 9, "j10")
    assert (second.revision, second.following) == ("k11", ("l12", "m13"))
    assert chain.count() == 2


def test_what_was_recorded_and_not_begun_is_taken_back_once_one_is_slow(
    chain: Desk, new_crew: Callable[[Desk], Crew]
) -> None:
    crew = new_crew(chain)
    pid = crew.start(chain.job())

    until_c3_waits(chain, crew)

    os.kill(pid, signal.SIGKILL)
    assert isinstance(crew.end(), Lost)
    (chain.fleet.workshop.folder / "go").touch()
    outcome = chain.run(committing=("a1", "b2"), origin=())
    assert (outcome.state, outcome.heads) == (State.DONE, ("m13",))
    assert chain.count() == 2, "what c3 wrote was rolled back, and is there once"


def test_what_was_recorded_and_may_have_begun_is_in_doubt(chain: Desk) -> None:
    chain.run(revision="b2")

    outcome = chain.run(committing=("a1", "b2", "c3", "d4"), origin=())

    assert (outcome.state, outcome.heads) == (State.IN_DOUBT, ("b2",))
    assert outcome.failure is not None
    assert outcome.failure.revision == "c3"
    assert chain.count() == 0


def test_a_worker_whose_orchestrator_died_completes_what_was_recorded(
    chain: Desk,
) -> None:
    (chain.fleet.workshop.folder / "go").touch()
    crew = Crew(chain)
    pid = crew.start(chain.job())
    crew.until_asked()

    crew.engine.answer("it", Go(ok=True))
    crew.engine._workers[0].pipe.close()

    wait_until(lambda: not os.path.exists(f"/proc/{pid}"))  # noqa: PTH110 - no path of the project
    crew.engine.kill()
    assert chain.fleet.heads("t000") == ["j10"]
    outcome = chain.run(
        committing=tuple(f"{c}{n}" for n, c in enumerate("abcdefghij", 1)), origin=()
    )
    assert (outcome.state, outcome.heads) == (State.DONE, ("m13",))


def test_a_worker_whose_orchestrator_died_does_not_begin_what_was_taken_back(chain: Desk) -> None:
    crew = Crew(chain)
    pid = crew.start(chain.job())
    until_c3_waits(chain, crew)

    crew.engine._workers[0].pipe.close()
    (chain.fleet.workshop.folder / "go").touch()

    wait_until(lambda: not os.path.exists(f"/proc/{pid}"))  # noqa: PTH110 - no path of the project
    crew.engine.kill()
    assert chain.fleet.heads("t000") == ["c3"]
    assert "d4" not in chain.fleet.tables("t000")


SLOW = {
    "mysql": "op.execute('CREATE TABLE slow AS SELECT SLEEP(4) AS s')",
    "mariadb": "op.execute('CREATE TABLE slow AS SELECT SLEEP(4) AS s')",
    "postgres": (
        "with op.get_context().autocommit_block():\n"
        "    op.execute('CREATE TABLE slow AS SELECT 1 FROM pg_sleep(4)')"
    ),
}
RUNNING = {
    "mysql": "SELECT 1 FROM information_schema.processlist WHERE info LIKE 'CREATE TABLE slow%'",
    "mariadb": "SELECT 1 FROM information_schema.processlist WHERE info LIKE 'CREATE TABLE slow%'",
    "postgres": (
        "SELECT 1 FROM pg_stat_activity WHERE query LIKE 'CREATE TABLE slow%' AND state = 'active'"
    ),
}


@pytest.mark.parametrize("kind", ["mariadb", "mysql", "postgres"])
def test_the_next_attempt_waits_for_the_statement_of_a_dead_worker(
    new_desk: Any, new_crew: Callable[[Desk], Crew], kind: str
) -> None:
    desk = new_desk(kind, lock_timeout='"1s"')
    desk.fleet.workshop.revision("b2", "a1", SLOW[kind])
    desk.run(revision="a1")
    asked = died(desk, new_crew(desk), lambda: desk.fleet.rows("t000", RUNNING[kind]))

    assert desk.run(committing=(asked.revision,), origin=("a1",)).state is State.LOCKED
    outcome = desk.run(committing=(asked.revision,), origin=("a1",), patience=30)

    assert "slow" in desk.fleet.tables("t000"), "it was waited for"
    assert outcome.state is State.IN_DOUBT
    assert outcome.heads == outcome.heads_before == ("a1",)
    assert outcome.failure.half_applied
    assert outcome.failure.revision == "b2"
    assert "version table says a1" in outcome.failure.message
    assert "orchestrator retry" in outcome.failure.next_step


@pytest.mark.parametrize("where", ["in_ddl", "before_version"])
def test_a_revision_that_was_interrupted_is_never_run_again(
    new_desk: Any, new_crew: Callable[[Desk], Crew], where: str, mysql_like: str
) -> None:
    desk = new_desk(mysql_like, lock_timeout='"1s"')
    more = f"\n{INSERT}" if where == "in_ddl" else ""
    sleep = "\nopen('asleep', 'w').close()\ntime.sleep(60)"
    desk.fleet.workshop.revision("b2", "a1", f"{ADD}{more}{sleep}")
    desk.fleet.workshop.revision("c3", "b2", INSERT)
    desk.run(revision="a1")
    asleep = desk.fleet.workshop.folder / "asleep"
    asked = died(desk, new_crew(desk), asleep.exists)

    for extra in ({}, {"look_only": True}):
        outcome = desk.run(committing=(asked.revision,), origin=("a1",), patience=30, **extra)

        assert outcome.state is State.IN_DOUBT
        assert desk.columns() == {"n", "price"}
        assert desk.count() == 0
        assert desk.asked == []
    assert desk.run(Verb.STAMP, revision="b2").state is State.DONE
    outcome = desk.run(committing=(asked.revision,), origin=("a1",))
    assert (outcome.state, outcome.heads_before, outcome.heads) == (State.DONE, ("a1",), ("c3",))
    assert [r.id for r in outcome.revisions] == ["b2", "c3"]
    assert desk.count() == 1


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_what_was_rolled_back_is_just_run_again(
    new_desk: Any, new_crew: Callable[[Desk], Crew], kind: str
) -> None:
    desk = new_desk(kind)
    flag = desk.fleet.workshop.folder / "asleep"
    sleep = f"\nif not os.path.exists({str(flag)!r}):\n    open({str(flag)!r}, 'w').close()"
    desk.fleet.workshop.revision("b2", "a1", f"{INSERT}{sleep}\n    time.sleep(60)")
    desk.run(revision="a1")
    crew = new_crew(desk)
    pid = crew.start(desk.job())
    wait_until(flag.exists)
    os.kill(pid, signal.SIGKILL)
    assert isinstance(crew.end(), Lost)

    outcome = desk.run(origin=("a1",), patience=30, look_only=True)
    assert outcome.state is State.FAILED
    assert "nothing is half applied" in outcome.failure.message
    assert not outcome.failure.retryable
    assert desk.run(origin=("a1",), patience=30).state is State.DONE
    assert desk.count() == 1


def test_a_connection_lost_in_autocommit_is_not_tried_again(new_desk: Any) -> None:
    desk = new_desk("postgres")
    end = "op.execute('SELECT pg_terminate_backend(pg_backend_pid())')"
    for revision, down, upgrade in (
        ("b2", "a1", end),
        ("b3", "a1", f"with op.get_context().autocommit_block(): {end}"),
    ):
        desk.fleet.workshop.revision(revision, down, upgrade)
        if revision == "b2":
            assert desk.run(revision="a1").state is State.DONE
        outcome = desk.run(revision=revision)

        assert outcome.state is State.FAILED
        assert outcome.failure.unseen, "nobody knows what was committed"
        assert not outcome.failure.retryable
        assert outcome.failure.half_applied is (revision == "b3")


def test_back_to_several_heads_and_to_none(desk: Desk) -> None:
    for name in ("b1", "c1"):
        drop = f'op.drop_table("{name}")'
        create = f'op.create_table("{name}", sa.Column("n", sa.Integer))'
        desk.fleet.workshop.revision(name, None, create, drop)
        desk.fleet.workshop.revision(
            f"{name}x", name, create.replace(name, f"{name}x"), drop.replace(name, f"{name}x")
        )
    everything = ("a1", "b1x", "c1x")
    assert desk.run(goal=everything).heads == everything

    back = desk.run(Verb.DOWNGRADE, back_to=("c1", "b1"), origin=everything)

    assert (back.state, back.heads) == (State.DONE, ("b1", "c1"))
    assert {r.id for r in back.revisions} == {"a1", "b1x", "c1x"}
    assert desk.fleet.tables("t000") == {"alembic_version", "b1", "c1"}
    committed = {revision for c in desk.asked for revision in (c.revision, *c.following)}
    assert committed == ({"a1", "b1x", "c1x"} if desk.fleet.ddl_commits else set())
    assert desk.run(Verb.DOWNGRADE, back_to=("b1", "c1")).state is State.UNCHANGED
    back = desk.run(Verb.DOWNGRADE, back_to=())
    assert (back.state, back.heads) == (State.DONE, ())
    assert desk.fleet.tables("t000") == {"alembic_version"}
