"""scripts/bench: every figure with its budget. Exit 1 when one is over."""

import argparse
import sys

from bench import daemon_bench, delta_bench, firmware_bench, link_bench, update_bench
from bench.report import emit, note

BENCHES = {"firmware": firmware_bench, "delta": delta_bench, "link": link_bench, "update": update_bench, "daemon": daemon_bench}


def main():
    parser = argparse.ArgumentParser(prog="scripts/bench", description="Prints every figure with its budget.")
    parser.add_argument("name", nargs="?", choices=list(BENCHES), help="only this group")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    options = parser.parse_args()
    good = True
    for name, bench in BENCHES.items():
        if options.name not in (None, name):
            continue
        if not options.json:
            note(f"{name}: {bench.__doc__.strip().splitlines()[0]}")
        for figure in bench.run():
            good = emit(figure, options.json) and good
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
