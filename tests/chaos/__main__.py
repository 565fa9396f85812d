"""``make chaos``: many rounds, a line for each, and what came of them."""

import argparse
import secrets
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from pathlib import Path

from tests.chaos.rounds import play, undisturbed
from tests.chaos.setups import Setup
from tests.chaos.world import Servers


def main() -> int:
    """Play rounds; 1 where one of them failed."""
    parser = argparse.ArgumentParser(prog="make chaos")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**6) * 1000)
    parser.add_argument("--tenants", type=int, default=4)
    parser.add_argument("--cluster", action="store_true", help="jobs run on a Dask cluster")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # ends what was started, as Ctrl-C does
    seeds = range(options.seed, options.seed + options.rounds)
    began, failed, tally = time.monotonic(), [], Counter[str]()
    print(f"{options.rounds} rounds from seed {options.seed}", flush=True)
    with Servers() as servers, tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "reference").mkdir()
        reference = undisturbed(servers, Path(folder) / "reference")
        for seed in seeds:
            place = Path(folder) / str(seed)
            place.mkdir()
            try:
                setup = Setup.of(seed, cluster=options.cluster)
                told = play(servers, place, setup, reference, options.tenants)
            except Exception:  # noqa: BLE001 - the next rounds may still say more
                failed.append(seed)
                print(f"seed {seed} FAILED\n{traceback.format_exc()}", flush=True)
                continue
            tally.update(what for kills in told.setup.kills for what, _ in kills)
            tally["in doubt"] += len(told.fixed)
            tally["replayed"] += told.replayed.total()
            tally["with replay"] += told.setup.replays
            tally["commands"] += told.commands
            print(told, flush=True)
    counts = ", ".join(f"{name} {count}" for name, count in sorted(tally.items()))
    print(f"{options.rounds} rounds in {time.monotonic() - began:.0f} s: {counts}")
    print(f"failed: {failed or 'none'}")
    if tally["with replay"] and not tally["replayed"]:
        print("nothing was replayed, so these rounds say nothing of it")
        return 1
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
