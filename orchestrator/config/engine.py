"""Where jobs run: processes of this machine, or workers of a Dask cluster."""

from typing import Literal

from pydantic import Field

from orchestrator.config.base import Model, TemplateText
from orchestrator.config.units import Timeout

LOCAL = "local"
"""The scheduler that each command starts for itself, with a worker of every place."""


class Security(Model):
    """How a cluster and this machine prove to each other who they are. Each is a file, or its text
    as a secret."""

    ca: TemplateText = Field(examples=["certs/ca.pem"])
    """The certificates of those who signed the others'."""
    cert: TemplateText = Field(examples=["certs/client.pem"])
    """The certificate that is shown to the scheduler."""
    key: TemplateText = Field(examples=["${file:/run/secrets/key.pem}"])
    """The private key of that certificate."""


class Engine(Model):
    """Where jobs run."""

    kind: Literal["local", "dask"] = "local"
    """Processes of this machine, or workers of a Dask cluster."""
    scheduler: TemplateText | None = Field(
        default=None, examples=["tls://scheduler.ops:8786", "${env:DASK_SCHEDULER}", LOCAL]
    )
    """Dask's scheduler; ``local`` is one that each command starts for itself, with a worker."""
    security: Security | None = None
    """TLS. Only a scheduler of this machine may do without."""
    patience: Timeout = 60.0
    """For how long workers that went away are waited for."""
