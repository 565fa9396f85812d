"""What a worker process keeps between jobs: the file, its secrets, the scripts."""

import sys
from argparse import Namespace
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from orchestrator.config.load import ConfigFile, load
from orchestrator.config.models import Database
from orchestrator.config.redaction import Redactor
from orchestrator.config.secrets import Secrets
from orchestrator.dialects import Timeouts
from orchestrator.dialects.creating import Creation
from orchestrator.errors import OrchestratorError, Refused
from orchestrator.fleet.address import AddressTemplate
from orchestrator.fleet.arguments import x_arguments
from orchestrator.fleet.expand import target as make_target
from orchestrator.fleet.location import Location
from orchestrator.fleet.placement import placement
from orchestrator.fleet.target import Target
from orchestrator.rollout.limits import creates, limits
from orchestrator.worker.connection.urls import url_of
from orchestrator.worker.environment.command_line import command_options
from orchestrator.worker.environment.execution import EnvPyProfile
from orchestrator.worker.jobs import Committing, Job, other_version
from orchestrator.worker.replay.confirming import Confirmations
from orchestrator.worker.replay.recordings import Recordings
from orchestrator.worker.scripts.directory import Scripts, load_scripts


@dataclass(slots=True)
class Context:
    """Loaded once per worker, and again only when a job names another file."""

    commands: Mapping[str, str]
    """What ``${cmd:}`` secrets printed, so that a vault is asked once per run."""
    notify: Callable[[str], bool | None]
    """Told each revision as it starts; true where nobody is left to hear it."""
    record: Callable[[Committing], bool] = lambda _: True
    """Writes down what a revision is about to commit, and returns whether it could."""
    made: Callable[[Any, str], Any] = lambda *_: None
    """Told that a database or schema was made, or taken away, or kept."""
    waits: Callable[[str], bool] = lambda _: True
    """Told who holds the target's lock while it is waited for; false where that is to end."""
    begins: Callable[[], None] = lambda: None
    """Told that ``env.py`` runs for the job itself: what was printed before is of no use."""
    profiles: dict[str, EnvPyProfile] = field(default_factory=dict)
    """What the ``env.py`` of each database does, as far as it was seen."""
    _file: ConfigFile | None = None
    _secrets: Secrets | None = None
    _recordings: dict[str, Recordings] = field(default_factory=dict)
    _confirmations: dict[str, Confirmations] = field(default_factory=dict)
    _scripts: dict[str, Scripts] = field(default_factory=dict)
    _compared: dict[str, dict[str, str]] = field(default_factory=dict)
    """Digests of revisions' files, as they were read."""
    _passwords: set[str] = field(default_factory=set)
    _redactor: tuple[frozenset[str], Redactor] | None = None

    def file(self, job: Job) -> ConfigFile:
        """Load the job's file. Raises ``Refused`` when it is not the one the job was made from."""
        if self._file is None or self._file.path != job.config or self._file.digest != job.digest:
            file = load(job.config)
            if file.digest != job.digest and job.worker:
                raise Refused(other_version(job.worker, job.config.name))
            if file.digest != job.digest:
                raise Refused(f"{job.config} was changed while the command ran; run it again")
            self._file, self._scripts, self.profiles = file, {}, {}
            self._recordings, self._confirmations, self._compared = {}, {}, {}
            self._secrets = Secrets(file.folder, commands=self.commands)
        if str(self._file.folder) not in sys.path:
            sys.path.insert(0, str(self._file.folder))
        return self._file

    def location(self, job: Job) -> Location:
        """Resolve where the job's target is, secrets included."""
        location = self._target(job).address.resolve(self.secrets(job).value)
        if location.password is not None:
            self._passwords.add(location.password)
        return location

    def _target(self, job: Job) -> Target:
        file = self.file(job)
        return make_target(file.config, file.folder, job.environment, job.database, job.labels)

    def driver(self, job: Job) -> str | None:
        """Return the driver of the database's targets: of those that are upgraded last, where they
        differ. ``None`` where the URL can't be told."""
        file, secrets = self.file(job), self.secrets(job)
        for environment in reversed(file.config.order or tuple(file.config.environments)):
            try:
                url = placement(file.config, environment, job.database).url
                address = AddressTemplate.parse(url, None, file.folder).blank
                return address.opened(secrets.value).driver
            except (OrchestratorError, ValueError):
                continue  # a secret that only whoever migrates there has
        return None

    def secrets(self, job: Job) -> Secrets:
        """The resolver of the job's file."""
        self.file(job)
        assert self._secrets is not None
        return self._secrets

    def timeouts(self, job: Job) -> Timeouts:
        """The session's limits for the job's target."""
        settings = limits(self.file(job).config, job.environment, job.database)
        return Timeouts(settings.lock_timeout, settings.statement_timeout)

    def creation(self, job: Job) -> Creation | None:
        """How the job's target is to be made where it is not there; ``None`` where it is not to."""
        config = self.file(job).config
        if not creates(config, job.environment, job.database):
            return None
        settings = config.environments[job.environment]
        own = settings.databases.get(job.database)
        return Creation(
            *(
                getattr(own, name, None) or getattr(settings, name)
                for name in ("create_owner", "create_charset", "create_collation")
            )
        )

    def arguments(self, job: Job) -> Mapping[str, Any]:
        """What connections of the job's database are opened with besides, as far as it is known."""
        profile = self.profiles.get(job.database)
        return {} if profile is None else profile.arguments

    def destination(self, job: Job) -> str:
        """Return where the job's target is to be: for ``heads``, what the file says that it is."""
        own = self.file(job).config.databases[job.database].revision
        return own if own is not None and job.revision in ("head", "heads") else job.revision

    def scripts(self, job: Job) -> Scripts:
        """The job's database's revisions, whose files are read once per worker.

        The process is left in the folder and with the import path that they want.
        """
        file = self.file(job)
        known = self._scripts.get(job.database)
        if known is None:
            database = file.config.databases[job.database]
            known = load_scripts(job.database, database, file.folder, *self._first(job, database))
            self._scripts[job.database] = known
        else:
            known.settings.enter()
        if job.revision_digests:
            self._assert_same_files(job, known)
        return known

    def _assert_same_files(self, job: Job, scripts: Scripts) -> None:
        """Raise ``Refused`` where a planned revision's file is another one on this machine."""
        compared = self._compared.setdefault(job.database, {})
        for revision, digest in job.revision_digests.items():
            if revision not in compared:
                compared[revision] = scripts.digest(revision)
            if compared[revision] != digest:
                what = f"{scripts.folder.name}: revision {revision}"
                raise Refused(other_version(job.worker, what))

    def _first(self, job: Job, database: Database) -> tuple[str | None, Namespace]:
        """What a ``configure`` sees while the scripts are read: the URL and the command line."""
        if database.configure is None:
            return None, command_options("current", (), verbose=False)
        # Nothing is connected to, but an application may want a URL to start.
        if not job.environment or job.heads is not None:
            driver = self.driver(job) or "sqlite"
            return f"{driver}://", command_options("current", job.x, verbose=False)
        url = url_of(self.location(job)).render_as_string(hide_password=False)
        return url, command_options("current", self.x_arguments(job), verbose=False)

    def recordings(self, job: Job) -> Recordings:
        """What was recorded of the job's database's revisions."""
        return self._recordings.setdefault(job.database, Recordings())

    def confirmations(self, job: Job) -> Confirmations:
        """What is known of where replaying leads the job's database."""
        return self._confirmations.setdefault(job.database, Confirmations())

    def x_arguments(self, job: Job) -> tuple[str, ...]:
        """What ``context.get_x_argument()`` gives for the job's target. Raises ``Refused``."""
        file = self.file(job)
        if not job.environment:
            return job.x
        try:
            return x_arguments(file.config, self._target(job), self.secrets(job).value, job.x)
        except ValueError as error:
            raise Refused(str(error)) from None

    def redactor(self) -> Redactor:
        """Hides every secret that was resolved so far, and every password of a URL."""
        resolved = self._secrets.values if self._secrets is not None else frozenset[str]()
        values = resolved | self._passwords
        if self._redactor is None or self._redactor[0] != values:
            self._redactor = (values, Redactor(values))
        return self._redactor[1]
