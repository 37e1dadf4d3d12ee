"""Two people and a service at random on one server: more of `tests/server/test_isolation.py`.

    python -m runs.isolation [--examples 100] [--steps 50]

Ends with status 0 if nothing of one ever showed in, or changed, what the other got.
"""

from __future__ import annotations

import argparse
import sys
import time

from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test
from tests.server.test_isolation import Isolation


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, default=100)
    parser.add_argument("--steps", type=int, default=50)
    given = parser.parse_args()
    began = time.monotonic()
    chosen = settings(
        max_examples=given.examples,
        stateful_step_count=given.steps,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(Isolation, settings=chosen)
    sys.stdout.write(
        f"{given.examples} lives of {given.steps} steps: {time.monotonic() - began:.0f} s\n"
    )


if __name__ == "__main__":
    main()
