"""django-tenants: a schema for each tenant, migrated by processes forked from one."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from sqlalchemy.engine import make_url

from benchmarks.subject import Subject
from benchmarks.tools.installing import from_pypi
from benchmarks.tools.tool import Invocation, Revisions, Tool

PACKAGES = ("django-tenants==4.0.1", "django==5.2.19")
"""The driver is our own, which is the same for all."""

SETTINGS = """
SECRET_KEY = "benchmark"
DATABASES = {{
    "default": {{
        "ENGINE": "django_tenants.postgresql_backend",
        "NAME": {url.database!r},
        "USER": {url.username!r},
        "PASSWORD": {url.password!r},
        "HOST": {url.host!r},
        "PORT": {url.port!r},
    }}
}}
DATABASE_ROUTERS = ["django_tenants.routers.TenantSyncRouter"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
SHARED_APPS = ["django_tenants", "django.contrib.contenttypes", "fleet"]
TENANT_APPS = ["app"]
INSTALLED_APPS = [*SHARED_APPS, *TENANT_APPS]
TENANT_MODEL = "fleet.Tenant"
TENANT_DOMAIN_MODEL = "fleet.Domain"
TENANT_MULTIPROCESSING_MAX_PROCESSES = {parallel}
"""
MODELS = """
from django_tenants.models import DomainMixin, TenantMixin


class Tenant(TenantMixin):
    auto_create_schema = False


class Domain(DomainMixin):
    pass
"""
MANAGE = """
import os
import sys
from django.core.management import execute_from_command_line

os.environ["DJANGO_SETTINGS_MODULE"] = "settings"
execute_from_command_line(sys.argv)
"""
PREPARE = """
import os
import django
from django.core.management import call_command

os.environ["DJANGO_SETTINGS_MODULE"] = "settings"
django.setup()
call_command("makemigrations", "fleet", verbosity=0)
call_command("migrate_schemas", shared=True, verbosity=0)

from fleet.models import Tenant

for name in {tenants!r}:
    Tenant(schema_name=name).save()
"""
MIGRATION = """
from django.db import migrations


class Migration(migrations.Migration):
    dependencies = {after!r}
    operations = [migrations.RunSQL({statements!r})]
"""


def django_tenants(folder: Path) -> Tool:
    """django-tenants from PyPI."""
    packages = from_pypi(folder, *PACKAGES)
    return Tool(
        "django-tenants, `migrate_schemas --executor=multiprocessing`",
        lambda subject, revisions: _ready(packages, subject, revisions),
    )


def _ready(packages: Path, subject: Subject, revisions: Revisions) -> Invocation:
    folder = subject.folder / "django"
    shutil.rmtree(folder, ignore_errors=True)
    for name in ("fleet", "app"):
        (folder / name / "migrations").mkdir(parents=True)
        (folder / name / "__init__.py").touch()
        (folder / name / "migrations/__init__.py").touch()
    settings = SETTINGS.format(url=make_url(subject.urls[0]), parallel=subject.parallel)
    (folder / "settings.py").write_text(settings)
    (folder / "fleet/models.py").write_text(MODELS)
    (folder / "manage.py").write_text(MANAGE)
    (folder / "prepare.py").write_text(PREPARE.format(tenants=subject.tenants))
    for number, statements in enumerate(revisions):
        after = [("app", f"r{number - 1:03}")] if number else []
        text = MIGRATION.format(after=after, statements=list(statements))
        (folder / f"app/migrations/r{number:03}.py").write_text(text)
    environ = {"PYTHONPATH": str(packages)}
    subprocess.run(
        [sys.executable, "prepare.py"], cwd=folder, env={**os.environ, **environ}, check=True
    )
    command = (sys.executable, "manage.py", "migrate_schemas", "--tenant")
    return Invocation((*command, "--executor=multiprocessing"), folder, environ=environ)
