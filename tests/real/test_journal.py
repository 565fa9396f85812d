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
from tests.project_folder import wait_until
from tests.real.conftest import Fleet

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


class Tenant:
    """Jobs for the first tenant of a fleet, run here or by a worker."""

    def __init__(self, fleet: Fleet, **rollout: Any) -> None:
        self.fleet = fleet
        fleet.declare(1, **rollout)
        os.environ.update(fleet.project.environ)
        fleet.project.revision("a1", None, CREATE, 'op.drop_table("items")')
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
        file = load(self.fleet.project.folder / "environments.toml")
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
def new_tenant(monkeypatch: pytest.MonkeyPatch, new_fleet: Callable[[str], Fleet]) -> Any:
    monkeypatch.setenv("FLEET_PASSWORD", "")  # put back afterwards
    return lambda kind, **rollout: Tenant(new_fleet(kind), **rollout)


@pytest.fixture(params=["sqlite", "mariadb", "mysql", "postgres"])
def tenant(request: pytest.FixtureRequest, new_tenant: Any) -> Tenant:
    found: Tenant = new_tenant(request.param)
    return found


class Worker:
    """A worker of the tenant's own."""

    def __init__(self, tenant: Tenant) -> None:
        folder = str(tenant.fleet.project.folder)
        arguments = ({}, dict(os.environ), folder)
        self.tenant = tenant
        self.engine = LocalEngine(
            work, arguments, size=1, is_final=lambda c: isinstance(c, Outcome), preload=PRELOAD
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
def new_worker() -> Iterator[Callable[[Tenant], Worker]]:
    workers: list[Worker] = []

    def make(tenant: Tenant) -> Worker:
        workers.append(Worker(tenant))
        return workers[-1]

    yield make
    for worker in workers:
        worker.engine.close()


def died(tenant: Tenant, worker: Worker, when: Callable[[], Any]) -> Committing:
    """Let a worker be killed once it has been answered, and ``when`` is true."""
    pid = worker.start(tenant.job())
    asked = worker.until_asked()
    worker.engine.answer("it", Go(ok=True))
    wait_until(when)
    os.kill(pid, signal.SIGKILL)
    assert isinstance(worker.end(), Lost)
    return asked


def test_ddl_that_commits_is_recorded_before_it_is_executed_and_once(tenant: Tenant) -> None:
    tenant.look = lambda: "items" in tenant.fleet.tables("t000")
    again = ADD.replace("price", "tax")
    tenant.fleet.project.revision("b2", "a1", f"{INSERT}\n{ADD}\n{INSERT}\n{again}")

    assert tenant.run(revision="a1").state is State.DONE

    told = [(c.revision, " ".join(c.statement.split())) for c in tenant.asked]
    if tenant.fleet.ddl_commits:
        assert told == [("a1", "CREATE TABLE items ( n INTEGER )")]
        assert tenant.seen is False
    else:
        assert told == [], "its DDL is rolled back with its version"
    tenant.look = tenant.columns
    assert tenant.run().state is State.DONE
    if tenant.fleet.ddl_commits:
        assert [c.revision for c in tenant.asked] == ["b2"]
        assert tenant.seen == {"n"}


def test_reading_and_dml_are_not_recorded(tenant: Tenant) -> None:
    look = 'sa.inspect(op.get_bind()).has_table("items")'
    tenant.fleet.project.revision("b2", "a1", f"{look}\n{INSERT}\nop.execute('/* x */ SELECT 1')")
    tenant.run(revision="a1")

    assert tenant.run().state is State.DONE

    assert tenant.asked == []
    assert tenant.count() == 1


def test_without_recorded_nobody_is_asked(tenant: Tenant) -> None:
    tenant.answer = False

    assert tenant.run(recorded=False).state is State.DONE

    assert tenant.asked == []


@pytest.mark.parametrize(
    "upgrade",
    [f"{INSERT}\n{ADD}\n{INSERT}", f"{CATCHES}{INSERT}\n{INSERT}", f"{INSERT}\n{INSERT}{CATCHES}"],
    ids=["raises", "catches", "catches-last"],
)
def test_what_cant_be_recorded_is_not_executed(
    new_tenant: Any, upgrade: str, mysql_like: str
) -> None:
    tenant = new_tenant(mysql_like)
    tenant.fleet.project.revision("b2", "a1", upgrade)
    tenant.fleet.project.revision("c3", "b2", INSERT)
    tenant.run(revision="a1")
    tenant.answer = False

    outcome = tenant.run()

    assert outcome.state is State.FAILED
    assert "record can't be written" in outcome.failure.message
    assert outcome.failure.next_step == "resume the run"
    assert outcome.failure.revision == "b2"
    assert not outcome.failure.retryable
    assert not outcome.failure.half_applied
    assert outcome.heads == ("a1",)
    assert len(tenant.asked) == 1
    assert tenant.count() == 0
    assert tenant.columns() == {"n"}
    tenant.answer = True
    assert tenant.run().state is State.DONE
    assert tenant.count() == 3


def test_an_env_py_that_goes_on_commits_nothing_either(new_tenant: Any) -> None:
    tenant = new_tenant("postgres")
    tenant.run(revision="a1")
    env_py = tenant.fleet.project.folder / "migrations/app/env.py"
    begun = "with context.begin_transaction():\n            context.run_migrations()\n\n\nif"
    caught = (
        "try:\n            context.run_migrations()\n        except Exception:\n"
        "            connection.commit()\n\n\nif"
    )
    text = env_py.read_text()
    assert begun in text
    env_py.write_text(text.replace(begun, caught))
    tenant.fleet.project.revision("b2", "a1", f"{INSERT}\nop.execute('COMMIT; SELECT 1')")
    tenant.answer = False

    outcome = tenant.run()

    assert outcome.state is State.FAILED
    assert "record can't be written" in outcome.failure.message
    assert outcome.heads == ("a1",)
    assert tenant.count() == 0


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
def test_what_a_revision_commits_on_its_way_is_recorded(new_tenant: Any, upgrade: str) -> None:
    tenant = new_tenant("postgres")
    tenant.fleet.project.revision("b2", "a1", upgrade)
    tenant.run(revision="a1")
    tenant.answer = False

    refused = tenant.run()

    assert refused.state is State.FAILED
    assert [c.revision for c in tenant.asked] == ["b2"]
    assert (tenant.count(), refused.heads, refused.failure.half_applied) == (0, ("a1",), False)
    tenant.answer, tenant.look = True, tenant.count
    assert tenant.run().state is State.DONE
    assert [c.revision for c in tenant.asked] == ["b2"]
    assert tenant.seen == 0, "asked before anything stays"
    assert tenant.count() == upgrade.count(INSERT)


def test_a_commit_with_nothing_of_the_revision_before_it_is_not_recorded(new_tenant: Any) -> None:
    tenant = new_tenant("postgres")
    block = "with op.get_context().autocommit_block(): op.execute('SHOW work_mem')"
    tenant.fleet.project.revision("b2", "a1", f"{block}\n{INSERT}")

    assert tenant.run().state is State.DONE

    assert tenant.asked == []


@pytest.mark.parametrize("kind", ["mariadb", "mysql", "postgres"])
def test_a_commit_of_the_connection_is_recorded(new_tenant: Any, kind: str) -> None:
    tenant = new_tenant(kind)
    tenant.fleet.project.revision("b2", "a1", f"{INSERT}\nop.get_bind().commit()\n{INSERT}")
    tenant.run(revision="a1")
    tenant.answer = False

    assert tenant.run().state is State.FAILED

    assert [(c.revision, c.statement) for c in tenant.asked] == [("b2", "COMMIT")]
    assert tenant.count() == 0


@pytest.mark.parametrize("kind", ["mariadb", "mysql", "postgres"])
def test_what_another_connection_writes_is_recorded(new_tenant: Any, kind: str) -> None:
    tenant = new_tenant(kind)
    tenant.fleet.project.revision("b2", "a1", OWN_ENGINE)
    tenant.fleet.rows("t000", "CREATE TABLE log (n INTEGER)")
    tenant.run(revision="a1")
    tenant.answer = False

    assert tenant.run().state is State.FAILED

    assert [c.statement.split()[0] for c in tenant.asked] == ["INSERT"]
    assert tenant.count("log") == 0


def test_what_is_recorded_shows_no_literal(new_tenant: Any, mysql_like: str) -> None:
    tenant = new_tenant(mysql_like)
    worker = Worker(tenant)
    tenant.fleet.project.revision("b2", "a1", "op.execute(\"ALTER TABLE items COMMENT 's3cret'\")")
    tenant.run(revision="a1")
    try:
        worker.start(tenant.job())
        assert worker.until_asked() == Committing("b2", "ALTER TABLE items COMMENT '…'")
        worker.engine.answer("it", Go(ok=True))
        ended = worker.end()
        assert isinstance(ended, Finished)
        assert ended.content.state is State.DONE
        worker.engine.answer("it", Go(ok=True))  # nobody waits for it any more
    finally:
        worker.engine.close()


def test_a_worker_whose_orchestrator_died_executes_nothing_more(
    new_tenant: Any, mysql_like: str
) -> None:
    tenant = new_tenant(mysql_like)
    worker = Worker(tenant)
    pid = worker.start(tenant.job())
    worker.until_asked()

    worker.engine._workers[0].pipe.close()

    wait_until(lambda: not os.path.exists(f"/proc/{pid}"))  # noqa: PTH110 - no path of the project
    assert tenant.fleet.tables("t000") <= {"alembic_version"}
    worker.engine.close()


WAIT = (
    "import os, time\nopen('waits', 'w').close()\nwhile not os.path.exists('go'): time.sleep(0.02)"
)


@pytest.fixture
def chain(new_tenant: Any, mysql_like: str) -> Tenant:
    """Twelve revisions: c3 writes, waits for a file, and writes; the others create a table each."""
    tenant: Tenant = new_tenant(mysql_like)
    before = "a1"
    for number, name in enumerate("bcdefghijklm", 2):
        table = f"op.execute('CREATE TABLE {name}{number} (n INTEGER)')"
        waits = f"{INSERT}\n{WAIT}\n{INSERT}"
        tenant.fleet.project.revision(
            f"{name}{number}", before, waits if name == "c" else table, "pass"
        )
        before = f"{name}{number}"
    return tenant


def until_c3_waits(chain: Tenant, worker: Worker) -> None:
    """Answer a worker until no more is recorded than what it has begun to commit."""
    said: dict[str, tuple[str, ...]] = {}
    while {one for first, following in said.items() for one in (first, *following)} != {"a1", "b2"}:
        asked = worker.until_asked()
        said[asked.revision] = asked.following
        if asked.waits:
            worker.engine.answer("it", Go(ok=True))
    wait_until((chain.fleet.project.folder / "waits").exists)


def test_quick_revisions_are_recorded_together(
    chain: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    # whatever else this machine does
    monkeypatch.setattr("orchestrator.worker.statements.journal.SLOW", 60)
    (chain.fleet.project.folder / "go").touch()

    assert chain.run().heads == ("m13",)

    first, second = chain.asked
    assert (first.revision, len(first.following), first.following[-1]) == ("a1", 9, "j10")
    assert (second.revision, second.following) == ("k11", ("l12", "m13"))
    assert chain.count() == 2


def test_what_was_recorded_and_not_begun_is_taken_back_once_one_is_slow(
    chain: Tenant, new_worker: Callable[[Tenant], Worker]
) -> None:
    worker = new_worker(chain)
    pid = worker.start(chain.job())

    until_c3_waits(chain, worker)

    os.kill(pid, signal.SIGKILL)
    assert isinstance(worker.end(), Lost)
    (chain.fleet.project.folder / "go").touch()
    outcome = chain.run(committing=("a1", "b2"), origin=())
    assert (outcome.state, outcome.heads) == (State.DONE, ("m13",))
    assert chain.count() == 2, "what c3 wrote was rolled back, and is there once"


def test_what_was_recorded_and_may_have_begun_is_in_doubt(chain: Tenant) -> None:
    chain.run(revision="b2")

    outcome = chain.run(committing=("a1", "b2", "c3", "d4"), origin=())

    assert (outcome.state, outcome.heads) == (State.IN_DOUBT, ("b2",))
    assert outcome.failure is not None
    assert outcome.failure.revision == "c3"
    assert chain.count() == 0


def test_a_worker_whose_orchestrator_died_completes_what_was_recorded(
    chain: Tenant,
) -> None:
    (chain.fleet.project.folder / "go").touch()
    worker = Worker(chain)
    pid = worker.start(chain.job())
    worker.until_asked()

    worker.engine.answer("it", Go(ok=True))
    worker.engine._workers[0].pipe.close()

    wait_until(lambda: not os.path.exists(f"/proc/{pid}"))  # noqa: PTH110 - no path of the project
    worker.engine.close()
    assert chain.fleet.heads("t000") == ["j10"]
    outcome = chain.run(
        committing=tuple(f"{c}{n}" for n, c in enumerate("abcdefghij", 1)), origin=()
    )
    assert (outcome.state, outcome.heads) == (State.DONE, ("m13",))


def test_a_worker_whose_orchestrator_died_does_not_begin_what_was_taken_back(chain: Tenant) -> None:
    worker = Worker(chain)
    pid = worker.start(chain.job())
    until_c3_waits(chain, worker)

    worker.engine._workers[0].pipe.close()
    (chain.fleet.project.folder / "go").touch()

    wait_until(lambda: not os.path.exists(f"/proc/{pid}"))  # noqa: PTH110 - no path of the project
    worker.engine.close()
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
    new_tenant: Any, new_worker: Callable[[Tenant], Worker], kind: str
) -> None:
    tenant = new_tenant(kind, lock_timeout='"1s"')
    tenant.fleet.project.revision("b2", "a1", SLOW[kind])
    tenant.run(revision="a1")
    asked = died(tenant, new_worker(tenant), lambda: tenant.fleet.rows("t000", RUNNING[kind]))

    assert tenant.run(committing=(asked.revision,), origin=("a1",)).state is State.LOCKED
    outcome = tenant.run(committing=(asked.revision,), origin=("a1",), lock_wait=30)

    assert "slow" in tenant.fleet.tables("t000"), "it was waited for"
    assert outcome.state is State.IN_DOUBT
    assert outcome.heads == outcome.heads_before == ("a1",)
    assert outcome.failure.half_applied
    assert outcome.failure.revision == "b2"
    assert "version table says a1" in outcome.failure.message
    assert "orchestrator retry" in outcome.failure.next_step


@pytest.mark.parametrize("where", ["in_ddl", "before_version"])
def test_a_revision_that_was_interrupted_is_never_run_again(
    new_tenant: Any, new_worker: Callable[[Tenant], Worker], where: str, mysql_like: str
) -> None:
    tenant = new_tenant(mysql_like, lock_timeout='"1s"')
    more = f"\n{INSERT}" if where == "in_ddl" else ""
    sleep = "\nopen('asleep', 'w').close()\ntime.sleep(60)"
    tenant.fleet.project.revision("b2", "a1", f"{ADD}{more}{sleep}")
    tenant.fleet.project.revision("c3", "b2", INSERT)
    tenant.run(revision="a1")
    asleep = tenant.fleet.project.folder / "asleep"
    asked = died(tenant, new_worker(tenant), asleep.exists)

    for extra in ({}, {"verify_only": True}):
        outcome = tenant.run(committing=(asked.revision,), origin=("a1",), lock_wait=30, **extra)

        assert outcome.state is State.IN_DOUBT
        assert tenant.columns() == {"n", "price"}
        assert tenant.count() == 0
        assert tenant.asked == []
    assert tenant.run(Verb.STAMP, revision="b2").state is State.DONE
    outcome = tenant.run(committing=(asked.revision,), origin=("a1",))
    assert (outcome.state, outcome.heads_before, outcome.heads) == (State.DONE, ("a1",), ("c3",))
    assert [r.id for r in outcome.revisions] == ["b2", "c3"]
    assert tenant.count() == 1


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_what_was_rolled_back_is_just_run_again(
    new_tenant: Any, new_worker: Callable[[Tenant], Worker], kind: str
) -> None:
    tenant = new_tenant(kind)
    flag = tenant.fleet.project.folder / "asleep"
    sleep = f"\nif not os.path.exists({str(flag)!r}):\n    open({str(flag)!r}, 'w').close()"
    tenant.fleet.project.revision("b2", "a1", f"{INSERT}{sleep}\n    time.sleep(60)")
    tenant.run(revision="a1")
    worker = new_worker(tenant)
    pid = worker.start(tenant.job())
    wait_until(flag.exists)
    os.kill(pid, signal.SIGKILL)
    assert isinstance(worker.end(), Lost)

    outcome = tenant.run(origin=("a1",), lock_wait=30, verify_only=True)
    assert outcome.state is State.FAILED
    assert "nothing is half applied" in outcome.failure.message
    assert not outcome.failure.retryable
    assert tenant.run(origin=("a1",), lock_wait=30).state is State.DONE
    assert tenant.count() == 1


def test_a_connection_lost_in_autocommit_is_not_tried_again(new_tenant: Any) -> None:
    tenant = new_tenant("postgres")
    end = "op.execute('SELECT pg_terminate_backend(pg_backend_pid())')"
    for revision, down, upgrade in (
        ("b2", "a1", end),
        ("b3", "a1", f"with op.get_context().autocommit_block(): {end}"),
    ):
        tenant.fleet.project.revision(revision, down, upgrade)
        if revision == "b2":
            assert tenant.run(revision="a1").state is State.DONE
        outcome = tenant.run(revision=revision)

        assert outcome.state is State.FAILED
        assert outcome.failure.unseen, "nobody knows what was committed"
        assert not outcome.failure.retryable
        assert outcome.failure.half_applied is (revision == "b3")


def test_back_to_several_heads_and_to_none(tenant: Tenant) -> None:
    for name in ("b1", "c1"):
        drop = f'op.drop_table("{name}")'
        create = f'op.create_table("{name}", sa.Column("n", sa.Integer))'
        tenant.fleet.project.revision(name, None, create, drop)
        tenant.fleet.project.revision(
            f"{name}x", name, create.replace(name, f"{name}x"), drop.replace(name, f"{name}x")
        )
    everything = ("a1", "b1x", "c1x")
    assert tenant.run(goal=everything).heads == everything

    back = tenant.run(Verb.DOWNGRADE, back_to=("c1", "b1"), origin=everything)

    assert (back.state, back.heads) == (State.DONE, ("b1", "c1"))
    assert {r.id for r in back.revisions} == {"a1", "b1x", "c1x"}
    assert tenant.fleet.tables("t000") == {"alembic_version", "b1", "c1"}
    committed = {revision for c in tenant.asked for revision in (c.revision, *c.following)}
    assert committed == ({"a1", "b1x", "c1x"} if tenant.fleet.ddl_commits else set())
    assert tenant.run(Verb.DOWNGRADE, back_to=("b1", "c1")).state is State.UNCHANGED
    back = tenant.run(Verb.DOWNGRADE, back_to=())
    assert (back.state, back.heads) == (State.DONE, ())
    assert tenant.fleet.tables("t000") == {"alembic_version"}
