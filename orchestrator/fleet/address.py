"""Where a target is: a URL in components, each of them text with secrets still in it."""

from dataclasses import dataclass

from orchestrator.config.template import Template


@dataclass(frozen=True, slots=True)
class Address:
    """A database URL whose labels are filled and whose secrets are not resolved.

    ``str()`` shows it as a URL fit for people: a password is never shown, secrets by name.
    """

    driver: str
    """As SQLAlchemy writes it: ``mysql+pymysql``. Empty where the whole URL is a secret."""
    username: Template
    password: Template
    host: Template
    port: Template
    database: Template
    query: tuple[tuple[str, Template], ...]
    schema: Template
    whole: Template
    """The URL where it starts with a secret (``${env:DATABASE_URL}``) and can only be taken apart
    once resolved; else empty."""

    @property
    def server(self) -> str:
        """Driver's backend, host and port: ``mysql://db1:3306``, ``sqlite``."""
        raise NotImplementedError
