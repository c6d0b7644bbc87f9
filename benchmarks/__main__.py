"""`python -m benchmarks CASE`: runs one benchmark; `--help` after the case says what it takes."""

from __future__ import annotations

import argparse
import sys

from benchmarks import formats, ingest, pipe, suite

CASES = {"formats": formats.main, "ingest": ingest.main, "pipe": pipe.main, "suite": suite.main}


def main() -> int:
    """Run the case that is named."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__, add_help=False
    )
    parser.add_argument("case", choices=sorted(CASES))
    options, rest = parser.parse_known_args(sys.argv[1:])
    return CASES[options.case](rest)


if __name__ == "__main__":
    sys.exit(main())
