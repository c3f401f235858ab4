"""A cross-validation in words, the same for the terminal and for Markdown."""

from collections.abc import Iterator, Mapping, Sequence

from lesionseg.evaluation.statistics import HOW
from lesionseg.evaluation.summary import Estimate
from lesionseg.metrics.definitions import METRICS
from lesionseg.study.comparison_tables import WordTable, titled
from lesionseg.study.crossval_results import CrossvalResults, PartResults, Spread


def tables(results: CrossvalResults, columns: Sequence[str]) -> list[WordTable]:
    """Words the out-of-fold scores, those of the test part, and what fitted decisions make of the former."""
    found = [_out_of_fold(results, columns)]
    if results.test is not None:
        found.append(_test(results, results.test, columns))
    if results.fitted:
        found.append(_fitted(results))
    return found


def notes(results: CrossvalResults, monitor: str) -> list[str]:
    """Says how the numbers are to be read, a sentence or a few for each of them."""
    return [
        *_reading(results),
        f"Each training's best epoch was chosen on the images of the first table (by {monitor}), so these scores are a "
        "little better than on images that nobody has looked at. Those of a test part are not affected.",
        *_of_test(results),
        *_of_folds(results),
    ]


def number(metric: str, value: float) -> str:
    """Writes a score as tables have it."""
    return f"{value:.{2 if METRICS[metric].unit else 4}f}"


def _reading(results: CrossvalResults) -> Iterator[str]:
    if results.is_cross_validation:
        yield (
            "Out of fold: every image is predicted by a training that has not seen it, and decided as configured. "
            "Decisions that were fitted afterwards are left out, for they were chosen on these very images."
        )
    else:
        yield (
            "Validation: no training was trained on these images. They are decided as configured; decisions that were "
            "fitted afterwards are left out, for they were chosen on these very images."
        )
    yield (
        f"{HOW}. Each image's scores are averaged over trainings first. SD is the standard deviation of the means "
        "named, and no part of the intervals."
    )


def _of_test(results: CrossvalResults) -> Iterator[str]:
    if results.test is not None:
        yield (
            "Test: each training decides as was fitted on its own validation part. The ensemble takes the mean "
            "probability of all trainings, and decides by the median of their thresholds."
        )


def _of_folds(results: CrossvalResults) -> Iterator[str]:
    if results.out_of_fold.over_folds is not None:
        yield (
            "Folds share most of their training images, so the SD over folds is no standard error of the method "
            "(Bengio & Grandvalet, JMLR 5, 2004)."
        )


def _out_of_fold(results: CrossvalResults, columns: Sequence[str]) -> WordTable:
    part = results.out_of_fold
    kind = "Out of fold" if results.is_cross_validation else "Validation part"
    title = f"{results.name}: {kind}, {part.images} images, decided as configured"
    return WordTable(title, _headings(columns), list(_rows(part, columns)))


def _test(results: CrossvalResults, part: PartResults, columns: Sequence[str]) -> WordTable:
    rows = list(_rows(part, columns))
    if results.ensemble is not None:
        rows += _estimate_rows("ensemble of all", part.images, results.ensemble, columns)
    return WordTable(f"{results.name}: Test part, {part.images} images", _headings(columns), rows)


def _fitted(results: CrossvalResults) -> WordTable:
    rows = [_fitted_row(one.name, one.images, one.configured, one.fitted) for one in results.fitted]
    images = sum(one.images for one in results.fitted)
    configured = sum(one.images * one.configured for one in results.fitted) / images
    fitted = sum(one.images * one.fitted for one in results.fitted) / images
    title = "Jaccard index with decisions fitted on the same images: better than it is on others"
    headings = ["training", "images", "as configured", "as fitted"]
    return WordTable(title, headings, [*rows, _fitted_row("all images", images, configured, fitted)])


def _fitted_row(name: str, images: int, configured: float, fitted: float) -> list[str]:
    return [name, str(images), number("jaccard", configured), number("jaccard", fitted)]


def _headings(columns: Sequence[str]) -> list[str]:
    return ["training", "images", *map(titled, columns)]


def _rows(part: PartResults, columns: Sequence[str]) -> Iterator[list[str]]:
    for one in part.trainings:
        yield [one.name, str(one.images), *(number(name, one.means[name]) for name in columns)]
    yield from _estimate_rows("all images", part.images, part.overall, columns)
    yield from _spread_rows("folds", part.over_folds, columns)
    yield from _spread_rows("seeds", part.over_seeds, columns)


def _estimate_rows(
    title: str, images: int, estimates: Mapping[str, Estimate], columns: Sequence[str]
) -> Iterator[list[str]]:
    yield [title, str(images), *(number(name, estimates[name].value) for name in columns)]
    yield ["95 % interval", "", *(_interval(name, estimates[name]) for name in columns)]


def _spread_rows(noun: str, spreads: Mapping[str, Spread] | None, columns: Sequence[str]) -> Iterator[list[str]]:
    if spreads is None:
        return
    chosen = [(name, spreads[name]) for name in columns]
    yield [f"mean ± SD over {noun}", "", *(f"{number(n, one.mean)} ± {number(n, one.deviation)}" for n, one in chosen)]
    yield [f"range over {noun}", "", *(f"{number(n, one.lowest)} to {number(n, one.highest)}" for n, one in chosen)]


def _interval(name: str, estimate: Estimate) -> str:
    if estimate.low is None or estimate.high is None:
        return "-"
    return f"{number(name, estimate.low)} to {number(name, estimate.high)}"
