"""A comparison in words, the same for the terminal and for Markdown."""

from collections.abc import Sequence
from dataclasses import dataclass

from lesionseg.metrics.formula import Definition
from lesionseg.study.comparison import Comparison, Pair, Score, Standing

SMALLEST_P = 0.0001
FEW = 100
"""Below it, intervals of differences are too narrow where one method's rare failures make the difference."""
RARE = 20


@dataclass(frozen=True)
class WordTable:
    """Headings and rows of words."""

    title: str
    headings: Sequence[str]
    rows: Sequence[Sequence[str]]


def leaderboard(comparison: Comparison) -> WordTable:
    """Words the standings: means, for the main metric with its interval and, for several seeds, their SD."""
    spread = any(standing.seeds > 1 for standing in comparison.standings)
    headings = ["rank", "method", "runs"]
    for name in comparison.metrics:
        headings.append(comparison.titles[name].heading)
        if name == comparison.metric:
            headings += ["95 % interval", *(["SD over seeds"] if spread else [])]
    rows = [_standing_row(standing, comparison, spread) for standing in comparison.standings]
    title = f"Leaderboard by {comparison.titles[comparison.metric].heading}, {comparison.images} images"
    return WordTable(title, headings, rows)


def pairwise(comparison: Comparison) -> WordTable:
    """Words the differences of every two methods."""
    headings = ["better", "other", "difference", "95 % interval", "Wilcoxon p", "Holm-adjusted p"]
    definition = comparison.titles[comparison.metric]
    rows = [_pair_row(pair, definition) for pair in comparison.pairs]
    return WordTable(f"Differences in {definition.heading}, paired by image", headings, rows)


def direction_note(comparison: Comparison) -> str:
    """Says which metrics are better when low; nothing where none is."""
    shown = [comparison.titles[name] for name in comparison.metrics]
    names = [definition.heading for definition in shown if not definition.higher_is_better]
    return f"Lower is better: {', '.join(names)}." if names else ""


def few_images_note(comparison: Comparison) -> str:
    """Warns where there are so few images that what decides between methods may not be among them."""
    if comparison.images >= FEW:
        return ""
    return (
        f"{comparison.images} images are few: a method that fails on one image in {RARE} has not failed on any of them "
        f"in {100 * (1 - 1 / RARE) ** comparison.images:.0f} % of cases, and an interval of a difference does not show "
        "what has not been seen."
    )


def _standing_row(standing: Standing, comparison: Comparison, spread: bool) -> list[str]:
    row = [str(standing.rank), standing.label, _runs(standing)]
    for name in comparison.metrics:
        score, definition = standing.scores[name], comparison.titles[name]
        row.append(definition.text(score.value))
        if name == comparison.metric:
            row.append(_interval(definition, score.low, score.high))
            row += [_deviation(definition, score)] if spread else []
    return row


def _pair_row(pair: Pair, definition: Definition) -> list[str]:
    difference = pair.difference
    bounds = _interval(definition, difference.low, difference.high, sign="+")
    mean = definition.text(difference.mean, sign="+")
    return [pair.first, pair.second, mean, bounds, _probability(pair.p), _probability(pair.adjusted_p)]


def _runs(standing: Standing) -> str:
    parts = [(standing.seeds, "seeds"), (standing.folds, "folds")]
    return " x ".join(f"{count} {noun}" for count, noun in parts if count > 1) or "1"


def _interval(definition: Definition, low: float | None, high: float | None, sign: str = "") -> str:
    if low is None or high is None:
        return "-"
    return f"{definition.text(low, sign=sign)} to {definition.text(high, sign=sign)}"


def _deviation(definition: Definition, score: Score) -> str:
    return "-" if score.seed_deviation is None else definition.text(score.seed_deviation)


def _probability(p: float) -> str:
    return f"< {SMALLEST_P}" if p < SMALLEST_P else f"{p:.4f}"
