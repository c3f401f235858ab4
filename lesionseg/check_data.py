"""`python -m lesionseg.check_data`: the data doctor."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from lesionseg.config.launch import launch

if TYPE_CHECKING:
    from omegaconf import DictConfig

WOULD_BE_WRONG = 1
"""Exit code when something in the data would make results wrong."""


def check_data(cfg: DictConfig) -> dict[str, int]:
    """Examines a data source as `cfg` says, see `conf/check_data.yaml`; writes `check.json` and `check.html`.

    Returns:
        The number of findings of each severity: `error`, `warning` and `note`.

    Raises:
        InputError: A setting is wrong, or the data are not there.
    """
    # Imported here, not above: they take seconds, and --help or a mistyped key should answer at once.
    from lesionseg.data.check.checking import visit

    return visit(cfg)


def main() -> None:
    """Runs the command line."""
    counts: dict[str, int] = {}
    launch("check_data", lambda cfg: counts.update(check_data(cfg)))
    sys.exit(WOULD_BE_WRONG if counts.get("error") else 0)


if __name__ == "__main__":
    main()
