"""``python -m tests.conditions``: see the package."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from .arguments import parse
from .outcomes import Outcome, exit_code, lines
from .running import run


def main(argv: Sequence[str]) -> int:
    chosen = parse(argv)
    outcomes: list[Outcome] = []
    interrupted = False
    try:
        for condition in chosen.conditions:
            print(f"== {condition.name}: {condition.told}", flush=True)
            outcomes.append(run(condition, chosen.times, chosen.pytest))
    except KeyboardInterrupt:
        interrupted = True
    print("\n" + "\n".join(lines(outcomes)), flush=True)
    return 130 if interrupted else exit_code(outcomes)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
