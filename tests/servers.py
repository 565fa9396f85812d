"""Private throwaway database servers, started from what ``scripts/install-servers`` installs.

Each has its own port on 127.0.0.1 and its own folder, and none is a system service. They are tuned
to lose data when the machine dies, but to keep every commit when only the server is killed.
"""

import atexit
import fcntl
import hashlib
import os
import pwd
import random
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, ClassVar, Self
from urllib.parse import quote

import psycopg
import pymysql
from sqlalchemy.engine import make_url

PASSWORD = "p@ss/w:rd%#"
HOST = "127.0.0.1"
START_SECONDS = 60.0
NEWER = "ORCHESTRATOR_TEST_NEWER"
"""The environment variable that asks for MariaDB 11.8 and PostgreSQL 18."""
_SYSTEM_FOLDERS = ("/usr/local/sbin", "/usr/sbin", "/sbin")
_DEBIAN_LIBRARIES = "usr/lib/x86_64-linux-gnu"


class ServerError(RuntimeError):
    """A test server is not installed, or did not start."""


def unique(prefix: str) -> str:
    """Return a name that no other test uses: ``shop_3f9a1c04``."""
    return f"{prefix}_{secrets.token_hex(4)}"


class Server:
    """A database server that tests may use as its superuser."""

    dialect: ClassVar[str]
    driver: ClassVar[str]
    ddl_commits: ClassVar[bool]
    """Each statement of DDL commits by itself."""
    home: ClassVar[str]
    """The database to connect to when none is named."""

    def __init__(self, host: str, port: int, user: str, password: str) -> None:
        self.host, self.port, self.user, self.password = host, port, user, password

    @classmethod
    def at(cls, url: str) -> Self:
        """Return the server that ``url`` names."""
        parsed = make_url(url)
        default = 5432 if cls.dialect == "postgresql" else 3306
        return cls(
            parsed.host or HOST,
            parsed.port or default,
            parsed.username or "",
            parsed.password or "",
        )

    def url(self, database: str = "", driver: str | None = None) -> str:
        """Return the SQLAlchemy URL of ``database``, its password quoted."""
        # Not by SQLAlchemy, some versions of which leave "%" and "#" as they are.
        who = f"{quote(self.user, safe='')}:{quote(self.password, safe='')}"
        scheme = f"{self.dialect}+{driver or self.driver}"
        return f"{scheme}://{who}@{self.host}:{self.port}/{database or self.home}"

    def execute(self, sql: str, database: str | None = None) -> list[tuple[Any, ...]]:
        """Run one statement, commit it, and return its rows."""
        return self.execute_all([sql], database)

    def execute_all(
        self, statements: Sequence[str], database: str | None = None
    ) -> list[tuple[Any, ...]]:
        """Run statements on one connection, each committed; return the rows of the last."""
        with closing(self.connect(database)) as connection, closing(connection.cursor()) as cursor:
            for statement in statements:
                cursor.execute(statement)
            return list(cursor.fetchall()) if cursor.description else []

    def connect(self, database: str | None = None) -> Any:
        """Return a new driver connection in autocommit mode. The caller closes it."""
        raise NotImplementedError

    def create(self, *names: str) -> None:
        """Create databases on one connection."""
        self.execute_all([f"CREATE DATABASE {self.quote(name)}" for name in names])

    def drop(self, *names: str) -> None:
        """Drop databases on one connection, whether they exist or not, whoever is connected."""
        self.execute_all([self._drop(name) for name in names])

    @contextmanager
    def databases(self, *names: str) -> Iterator[tuple[str, ...]]:
        """Create databases and drop them afterwards."""
        self.create(*names)
        try:
            yield names
        finally:
            self.drop(*names)

    def quote(self, name: str) -> str:
        """Return ``name`` as a quoted identifier."""
        raise NotImplementedError

    def _drop(self, name: str) -> str:
        return f"DROP DATABASE IF EXISTS {self.quote(name)}"


class MariaDB(Server):
    """A MariaDB or MySQL server."""

    dialect = "mysql"
    driver = "pymysql"
    ddl_commits = True
    home = ""

    def connect(self, database: str | None = None) -> Any:
        return pymysql.connect(
            host=self.host,
            port=self.port,
            user=self.user,
            password=self.password,
            database=database,
            connect_timeout=5,
            autocommit=True,
        )

    def quote(self, name: str) -> str:
        return "`" + name.replace("`", "``") + "`"


class Postgres(Server):
    """A PostgreSQL server."""

    dialect = "postgresql"
    driver = "psycopg"
    ddl_commits = False
    home = "postgres"

    def connect(self, database: str | None = None) -> Any:
        return psycopg.connect(
            host=self.host,
            port=self.port,
            user=self.user,
            password=self.password,
            dbname=database or self.home,
            connect_timeout=5,
            autocommit=True,
        )

    def quote(self, name: str) -> str:
        return '"' + name.replace('"', '""') + '"'

    def _drop(self, name: str) -> str:
        return f"{super()._drop(name)} WITH (FORCE)"


class Process:
    """A server process of our own, in a throwaway folder, as an unprivileged user.

    It ends with the thread that started it (where ``setpriv`` is there), and its folder with
    ``close``, which also runs at exit.
    """

    account: ClassVar[str]
    """Who it runs as when we are root."""
    stop_signal: ClassVar[signal.Signals] = signal.SIGTERM
    quit_signal: ClassVar[signal.Signals] = signal.SIGTERM

    folder: Path
    port: int

    def prepare(self) -> None:
        """Make the folder that the server's process may use."""
        self._owner = os.getpid()
        self._process: subprocess.Popen[bytes] | None = None
        self.folder = Path(tempfile.mkdtemp(prefix="orchestrator-test-"))
        self._identity = _identity(self.account)
        if self._identity:
            os.chown(self.folder, self._identity["user"], self._identity["group"])
        atexit.register(self.close)

    @property
    def pid(self) -> int:
        """The process id of the running server."""
        if self._process is None:
            raise ServerError("the server does not run")
        return self._process.pid

    def start(self) -> Self:
        """Start the server and wait until it answers. Raises ``ServerError`` with its log."""
        deadline = time.monotonic() + START_SECONDS
        while True:
            self._launch()
            if self._answers(deadline):
                return self
            self._reap()
            # What a killed server left behind (its children, its port) goes away on its own.
            if time.monotonic() > deadline:
                raise ServerError(f"{self.command()[0]} did not start:\n{self.log()[-3000:]}")
            time.sleep(0.2)

    def stop(self) -> None:
        """Shut down cleanly, keeping port and data."""
        self._end(self.stop_signal)

    def kill(self) -> None:
        """Kill the server, as a crash would. Every commit is kept."""
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        """Start again on the same port and data, after ``kill``, ``stop`` or neither."""
        self.stop()
        self.start()

    def close(self) -> None:
        """End the server and remove its folder. May be called twice."""
        if os.getpid() == self._owner:  # a forked child must not end its parent's server
            self._end(self.quit_signal)
            shutil.rmtree(self.folder, ignore_errors=True)
            atexit.unregister(self.close)

    def log(self) -> str:
        """Return what the server has logged."""
        path = self.folder / "server.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def command(self) -> list[str]:
        """The command that runs the server in the foreground."""
        raise NotImplementedError

    def probe(self) -> None:
        """Raise an exception unless the server answers."""
        raise NotImplementedError

    def initialize(self, data: Path) -> None:
        """Make a new server's data folder."""
        raise NotImplementedError

    def prepare_data(self, *made_by: str) -> None:
        """Give the server a data folder: a copy of one that programs like these made before."""
        key = hashlib.sha256("\0".join((*made_by, self.account)).encode()).hexdigest()[:16]
        template = installed_folder() / "templates" / f"{type(self).__name__}-{key}"
        template.parent.mkdir(parents=True, exist_ok=True)
        with (template.parent / f"{template.name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not template.exists():
                building = template.with_suffix(".new")
                shutil.rmtree(building, ignore_errors=True)
                building.mkdir()
                if self._identity:
                    os.chown(building, self._identity["user"], self._identity["group"])
                self.initialize(building / "data")
                building.rename(template)
        self.run("cp", "-a", "--reflink=auto", f"{template}/data", f"{self.folder}/data")

    def run(self, *command: str) -> None:
        """Run a command to its end as the server's user. Raises ``ServerError`` with its output."""
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
            **self._identity,
        )
        if done.returncode:
            raise ServerError(
                f"{command[0]} failed:\n{done.stdout.decode(errors='replace')[-3000:]}"
            )

    def _launch(self) -> None:
        with (self.folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                [*_end_with_us(self.quit_signal), *self.command()],
                cwd=self.folder,
                env=_environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                process_group=0,  # a Ctrl-C is for the tests, not for their servers
                **self._identity,
            )

    def _answers(self, deadline: float) -> bool:
        while self._process and self._process.poll() is None and time.monotonic() < deadline:
            try:
                self.probe()
            except (OSError, pymysql.Error, psycopg.Error):
                time.sleep(0.05)
            else:
                return True
        return False

    def _reap(self) -> None:
        self._end(signal.SIGKILL)

    def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(how)
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


class MariaDBServer(Process, MariaDB):
    """A private MariaDB server."""

    account = "mysql"
    quit_signal = signal.SIGKILL

    def __init__(self, *options: str) -> None:
        unpacked = installed_folder() / "mariadb-11.8"
        self._program = (
            _unpacked(unpacked, "usr/sbin/mariadbd", "usr/lib/mysql/plugin")
            if os.environ.get(NEWER)
            else [find("mariadbd", "mariadb-server"), "--no-defaults"]
        )
        super().__init__(HOST, free_port(), "root", PASSWORD)
        self._options = options
        self.prepare()
        # The tables of Debian's own version serve the newer server, whose package makes none.
        self._install = find("mariadb-install-db", "mariadb-server")
        self.prepare_data(self._install, *_version(find("mariadbd", "mariadb-server")))
        (self.folder / "init.sql").write_text(
            f"CREATE USER IF NOT EXISTS root@'%' IDENTIFIED BY '{PASSWORD}';\n"
            "GRANT ALL PRIVILEGES ON *.* TO root@'%' WITH GRANT OPTION;\n"
            # A more exact host would win over '%', and these have no password.
            "DELETE FROM mysql.global_priv WHERE User IN ('root', '') AND Host <> '%';\n"
            "FLUSH PRIVILEGES;\n"
        )

    def initialize(self, data: Path) -> None:
        self.run(
            self._install,
            "--no-defaults",
            "--auth-root-authentication-method=normal",
            "--skip-test-db",
            f"--datadir={data}",
            *self._storage(),
        )

    def command(self) -> list[str]:
        return [
            *self._program,
            f"--datadir={self.folder}/data",
            *self._storage(),
            f"--init-file={self.folder}/init.sql",
            f"--bind-address={HOST}",
            f"--port={self.port}",
            f"--socket={self.folder}/s",
            f"--pid-file={self.folder}/pid",
            "--skip-name-resolve",
            "--skip-log-bin",
            "--performance-schema=OFF",
            "--max-connections=500",
            "--table-open-cache=8000",
            "--table-definition-cache=8000",
            "--character-set-server=utf8mb4",
            *self._options,
        ]

    def _storage(self) -> list[str]:
        return [
            "--innodb-buffer-pool-size=128M",
            "--innodb-log-file-size=64M",
            # 2, not 0: a commit reaches the kernel, so that it outlives a killed server.
            "--innodb-flush-log-at-trx-commit=2",
            "--innodb-doublewrite=0",
            "--loose-debug-no-sync",
            "--loose-innodb-flush-method=nosync",
        ]

    def probe(self) -> None:
        self.execute("SELECT 1")


class MySQLServer(Process, MariaDB):
    """A private MySQL server, of version 9 where Debian's packages were unpacked."""

    account = "mysql"
    quit_signal = signal.SIGKILL

    def __init__(self, *options: str) -> None:
        self._program = _mysqld()
        super().__init__(HOST, free_port(), "root", PASSWORD)
        self._options = options
        self.prepare()
        casing = [option for option in options if "lower-case-table-names" in option]
        self._initial = casing  # the one option that must not change after the folder was made
        self.prepare_data(*casing, *_version(*self._program))
        (self.folder / "init.sql").write_text(
            f"CREATE USER IF NOT EXISTS root@'%' IDENTIFIED BY '{PASSWORD}';\n"
            "GRANT ALL PRIVILEGES ON *.* TO root@'%' WITH GRANT OPTION;\n"
        )

    def initialize(self, data: Path) -> None:
        self.run(
            *self._program,
            "--initialize-insecure",
            f"--datadir={data}",
            *self._storage(),
            *self._initial,
        )

    def command(self) -> list[str]:
        return [
            *self._program,
            f"--datadir={self.folder}/data",
            *self._storage(),
            f"--init-file={self.folder}/init.sql",
            f"--bind-address={HOST}",
            f"--port={self.port}",
            f"--socket={self.folder}/s",
            f"--pid-file={self.folder}/pid",
            "--skip-name-resolve",
            "--skip-log-bin",
            "--mysqlx=OFF",
            "--secure-file-priv=",
            "--max-connections=500",
            "--table-open-cache=8000",
            "--table-definition-cache=8000",
            *self._options,
        ]

    def _storage(self) -> list[str]:
        return [
            "--innodb-buffer-pool-size=128M",
            "--innodb-redo-log-capacity=64M",
            # 2, not 0: a commit reaches the kernel, so that it outlives a killed server.
            "--innodb-flush-log-at-trx-commit=2",
            "--innodb-doublewrite=0",
        ]

    def probe(self) -> None:
        self.execute("SELECT 1")


class PostgresServer(Process, Postgres):
    """A private PostgreSQL server."""

    account = "postgres"
    stop_signal = signal.SIGINT
    # "Immediate" shutdown: as fast as a kill, but gives its shared memory back.
    quit_signal = signal.SIGQUIT

    def __init__(self, *options: str) -> None:
        self._program = _postgres_program("postgres")
        super().__init__(HOST, free_port(), "postgres", PASSWORD)
        self._options = options
        self.prepare()
        self.prepare_data(*_version(self._program))

    def initialize(self, data: Path) -> None:
        secret = self.folder / "password"
        secret.write_text(PASSWORD)
        self.run(
            _postgres_program("initdb"),
            f"--pgdata={data}",
            f"--pwfile={secret}",
            f"--username={self.user}",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--locale=C",
            "--no-sync",
        )

    def command(self) -> list[str]:
        settings = {
            "listen_addresses": HOST,
            "port": self.port,
            "unix_socket_directories": self.folder,
            "fsync": "off",
            "max_connections": 500,
            "max_wal_size": "4GB",
            "shared_buffers": "128MB",
            "dynamic_shared_memory_type": "mmap",  # in the folder, where nothing is left behind
            "autovacuum": "off",
        }
        flags = [f"--{name}={value}" for name, value in settings.items()]
        return [self._program, "-D", f"{self.folder}/data", *flags, *self._options]

    def probe(self) -> None:
        self.execute("SELECT 1")


class PgBouncer(Process, Postgres):
    """A private PgBouncer before a PostgreSQL server, for all of its databases."""

    account = "postgres"
    quit_signal = signal.SIGKILL

    def __init__(self, server: Postgres, mode: str = "transaction") -> None:
        self._program = find("pgbouncer", "pgbouncer")
        super().__init__(HOST, free_port(), server.user, server.password)
        self.prepare()
        password = server.password.replace('"', '""')
        (self.folder / "users.txt").write_text(f'"{server.user}" "{password}"\n')
        (self.folder / "pgbouncer.ini").write_text(
            f"""
            [databases]
            * = host={server.host} port={server.port}
            [pgbouncer]
            listen_addr = {HOST}
            listen_port = {self.port}
            unix_socket_dir =
            auth_type = scram-sha-256
            auth_file = {self.folder}/users.txt
            pool_mode = {mode}
            max_client_conn = 1000
            default_pool_size = 200
            """.replace("            ", "")
        )

    def command(self) -> list[str]:
        return [self._program, f"{self.folder}/pgbouncer.ini"]

    def probe(self) -> None:
        self.execute("SELECT 1")


def find(program: str, package: str) -> str:
    """Return the path of a server's program. Raises ``ServerError`` naming its Debian package."""
    places = [os.environ.get("PATH", os.defpath), *_SYSTEM_FOLDERS]
    versions = Path("/usr/lib/postgresql").glob("*/bin")
    newest = sorted(versions, key=lambda folder: float(folder.parent.name), reverse=True)
    # The versioned folders first: initdb and postgres must be of one version.
    path = shutil.which(program, path=os.pathsep.join([*map(str, newest), *places]))
    if path is None:
        raise ServerError(
            f"{program} is not installed. Install the Debian package {package}, "
            "or run scripts/install-servers, which installs every server that the tests need"
        )
    return path


def installed_folder() -> Path:
    """Return where ``scripts/install-servers`` unpacks servers, and templates are kept."""
    named = os.environ.get("ORCHESTRATOR_TEST_SERVERS")
    return Path(named or f"/var/tmp/orchestrator-test-servers-{os.getuid()}")


def _unpacked(root: Path, program: str, plugins: str, *options: str) -> list[str]:
    if not (root / ".ready").exists():
        raise ServerError(f"{root.name} is not unpacked. Run scripts/install-servers newer")
    libraries = root / _DEBIAN_LIBRARIES
    return [
        f"{libraries}/ld-linux-x86-64.so.2",
        "--library-path",
        str(libraries),
        f"{root}/{program}",
        "--no-defaults",
        f"--plugin-dir={root}/{plugins}",
        *(option.replace("ROOT", str(root)) for option in options),
    ]


def _mysqld() -> list[str]:
    root = installed_folder() / "mysql"
    if (root / ".ready").exists():
        share = "--lc-messages-dir=ROOT/usr/share/mysql"
        sets = "--character-sets-dir=ROOT/usr/share/mysql/charsets"
        return _unpacked(root, "usr/sbin/mysqld", "usr/lib/mysql/plugin", share, sets)
    program = find("mysqld", "mysql-server")
    if "MariaDB" in "".join(_version(program)):
        raise ServerError("there is MariaDB, but no MySQL. Run scripts/install-servers")
    return [program, "--no-defaults"]


def _postgres_program(name: str) -> str:
    if not os.environ.get(NEWER):
        return find(name, "postgresql")
    found = next((installed_folder() / "postgres-18").rglob(f"bin/{name}"), None)
    if found is None:
        raise ServerError("PostgreSQL 18 is not installed. Run scripts/install-servers newer")
    return str(found)


def _version(*program: str) -> list[str]:
    said = subprocess.run([*program, "--version"], capture_output=True, text=True, check=True)
    return [*program, said.stdout]


def free_port() -> int:
    """Return a free port below those that the kernel gives to clients, so that it stays free."""
    while True:
        port = random.randrange(15000, 32000)
        with socket.socket() as probe:
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
            return port


def _identity(account: str) -> dict[str, Any]:
    if os.getuid() != 0:
        return {}
    known = {entry.pw_name: entry for entry in pwd.getpwall()}
    entry = known.get(account) or known["nobody"]
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


def _end_with_us(how: signal.Signals) -> list[str]:
    # Not preexec_fn, which is unsafe, and warns, where there are threads.
    program = shutil.which("setpriv")
    return [program, "--pdeathsig", how.name.removeprefix("SIG"), "--"] if program else []


def _environment() -> dict[str, str]:
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), *_SYSTEM_FOLDERS])
    return {"PATH": path, "LC_ALL": "C", "TZ": "UTC"}
