"""``orchestrator`` and ``python -m orchestrator``."""

import sys


def main() -> None:
    """Run the command line and exit with its code."""
    try:
        # Here and not above: worker processes that are spawned import this module again.
        from orchestrator.cli.app import run
        from orchestrator.engines.fd_limits import raise_limit

        raise_limit()
        code = run(sys.argv[1:])
    except KeyboardInterrupt:  # while it still imports
        code = 130
    sys.exit(code)


if __name__ == "__main__":
    main()
