"""`python -m lesionseg.compare RUN RUN ...`: ranks evaluated methods."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from lesionseg.config.command_line import TAKES_A_WORD, quoted
from lesionseg.config.launch import launch

if TYPE_CHECKING:
    from omegaconf import DictConfig

TAKES_A_WORD_OR_NONE = ("--info", "-i")


def compare(cfg: DictConfig) -> dict[str, float]:
    """Compares evaluations as `cfg` says, see `conf/compare.yaml`; writes a leaderboard, tables and a picture.

    Returns:
        The mean of `cfg.metric` by the method's label, the best first.

    Raises:
        InputError: A setting or a run is wrong, or the runs cannot be compared; then nothing is written.
    """
    # Imported here, not above: they take seconds, and --help or a mistyped key should answer at once.
    from lesionseg.study.comparing import compare_runs

    return compare_runs(cfg)


def main() -> None:
    """Runs the command line."""
    sys.argv[1:] = with_runs(sys.argv[1:])
    launch("compare", compare)


def with_runs(words: Sequence[str]) -> list[str]:
    """Turns a command line's plain words into one override of `runs`, which replaces any other; keeps the rest.

    A word is plain if it is an existing path, or if it is neither an override (`key=value`, `~key`) nor an option or
    an option's value.
    """
    plain: list[str] = []
    rest: list[str] = []
    before = ""
    for word in words:
        (plain if _is_run(word, before) else rest).append(word)
        before = word
    return [*rest, f"runs=[{','.join(map(quoted, plain))}]"] if plain else rest


def _is_run(word: str, before: str) -> bool:
    if before in TAKES_A_WORD or word.startswith("-"):
        return False
    if Path(word).exists():
        return True
    return "=" not in word and not word.startswith("~") and before not in TAKES_A_WORD_OR_NONE


if __name__ == "__main__":
    main()
