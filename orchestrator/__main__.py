"""``orchestrator`` and ``python -m orchestrator``."""

import sys


def main() -> None:
    """Run the command line and exit with its code."""
    # Here and not above: worker processes that are spawned import this module again.
    from orchestrator.cli.app import run

    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
