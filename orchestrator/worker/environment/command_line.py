"""What ``config.cmd_opts`` holds: the options that ``alembic`` would have been called with."""

from argparse import Namespace
from collections.abc import Mapping, Sequence
from typing import Any

from alembic import command

# As Alembic's own parser has them: the function, the arguments it takes by position, by keyword.
_COMMANDS: Mapping[str, tuple[Any, list[str], list[str]]] = {
    "upgrade": (command.upgrade, ["revision"], ["sql", "tag"]),
    "downgrade": (command.downgrade, ["revision"], ["sql", "tag"]),
    "stamp": (command.stamp, ["revisions"], ["sql", "tag", "purge"]),
    "current": (command.current, [], ["verbose"]),
    "check": (command.check, [], []),
    "revision": (
        command.revision,
        ["message"],
        [
            *("autogenerate", "sql", "head", "splice", "branch_label", "version_path", "rev_id"),
            "depends_on",
        ],
    ),
    "merge": (command.merge, ["revisions"], ["message", "branch_label", "rev_id"]),
}


def command_options(name: str, x: Sequence[str], **options: Any) -> Namespace:
    """Return the options of ``alembic NAME``, with ``x`` for ``context.get_x_argument()``."""
    given = {"sql": False, "tag": None, **options}
    return Namespace(
        cmd=_COMMANDS[name],
        x=list(x) or None,
        config=None,
        name="alembic",
        raiseerr=False,
        quiet=False,
        **given,
    )


def argv(options: Namespace) -> list[str]:
    """Return the command line of such options: what ``sys.argv`` would be."""
    arguments = [part for argument in options.x or () for part in ("-x", argument)]
    revision = getattr(options, "revision", None)
    return ["alembic", *arguments, options.cmd[0].__name__, *([revision] if revision else [])]
