"""`python -m lesionseg.compare RUN RUN ...`: ranks evaluated methods."""

import sys
from collections.abc import Sequence
from pathlib import Path

from omegaconf import DictConfig

from lesionseg.config.command_line import TAKES_A_WORD, quoted
from lesionseg.config.launch import launch

TAKES_A_WORD_OR_NONE = ("--info", "-i")


def compare(cfg: DictConfig) -> dict[str, float]:
    """Compares evaluations, see `conf/compare.yaml`; prints a leaderboard and writes it, tables and a chart.

    Returns:
        Mean of `cfg.metric` by the method's label, the best first.

    Raises:
        InputError: A setting or a run is wrong, or the runs cannot be compared; nothing is written.
    """
    # Imported here because it takes seconds, and --help or a mistyped key should be answered at once.
    from lesionseg.study.comparison import compared_runs
    from lesionseg.study.comparison_report import report_comparison

    comparison = compared_runs(cfg)
    report_comparison(comparison, Path(cfg.run_dir))
    return {standing.label: standing.scores[cfg.metric].value for standing in comparison.standings}


def main() -> None:
    """Runs the command line."""
    sys.argv[1:] = with_runs(sys.argv[1:])
    launch("compare", compare)


def with_runs(words: Sequence[str]) -> list[str]:
    """Turns existing paths and words that are no override, option or option's value into one override of `runs`."""
    pairs = list(zip(["", *words], words, strict=False))
    plain = [word for before, word in pairs if _is_run(word, before)]
    rest = [word for before, word in pairs if not _is_run(word, before)]
    return [*rest, f"runs=[{','.join(map(quoted, plain))}]"] if plain else rest


def _is_run(word: str, before: str) -> bool:
    if before in TAKES_A_WORD or word.startswith("-"):
        return False
    return Path(word).exists() or not ("=" in word or word.startswith("~") or before in TAKES_A_WORD_OR_NONE)


if __name__ == "__main__":
    main()
