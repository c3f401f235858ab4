"""Intervals and areas in words."""

from math import ceil

from lesionseg.evaluation.summary import Curves, Estimate

SMALL_ERROR = 1e-4
"""Error up to which an area is written without a remark."""


def interval_text(estimate: Estimate) -> str:
    """Writes the interval, or a dash where one image allows none."""
    return "-" if estimate.low is None or estimate.high is None else f"{estimate.low:.4f} to {estimate.high:.4f}"


def area_in_words(area: float | None, error: float | None) -> str:
    """Writes an area to four digits, with its largest error where that is above `SMALL_ERROR`."""
    if area is None:
        return "undefined: all pixels are of one class"
    return f"{area:.4f}" if error is None or error <= SMALL_ERROR else f"{area:.4f}, to within {_rounded_up(error)}"


def how_areas_are_made(curves: Curves) -> str:
    """Explains in a sentence or two how exact the areas are; empty without areas."""
    errors = [error for error in (curves.roc_area_error, curves.average_precision_error) if error is not None]
    if not errors:
        return ""
    sentence = (
        "The ROC and precision-recall curves are of the pixels of all images together. Their probabilities are counted "
        "in steps that get finer towards 0 and 1; the areas are those of the single pixels"
    )
    if max(errors) <= SMALL_ERROR:
        return f"{sentence} to within {SMALL_ERROR:.4f}."
    return f"{sentence} to within {_rounded_up(max(errors))} only, because too many probabilities lie close together."


def _rounded_up(error: float) -> str:
    return f"{ceil(error * 1e4) / 1e4:.4f}"
