"""Areas below the curves of all pixels, in words: the number, and how near it is to that of the single pixels."""

from math import ceil

from lesionseg.evaluation.summary import Curves

SMALL_ERROR = 1e-4
"""An area that is so near is written without a remark."""
UNDEFINED = "undefined: all pixels are of one class"


def area_in_words(area: float | None, error: float | None) -> str:
    """Writes an area to four digits, with what it may be off where that is more than `SMALL_ERROR`."""
    if area is None:
        return UNDEFINED
    return f"{area:.4f}" if error is None or error <= SMALL_ERROR else f"{area:.4f}, to within {_rounded_up(error)}"


def how_areas_are_made(curves: Curves) -> str:
    """Says in a sentence or two how near the areas are; nothing where there are none."""
    errors = [error for error in (curves.roc_area_error, curves.average_precision_error) if error is not None]
    if not errors:
        return ""
    sentence = (
        "ROC and precision-recall curve are of the pixels of all images together. Their probabilities are counted in "
        "steps that get finer towards 0 and 1; the areas are those of the single pixels"
    )
    if max(errors) <= SMALL_ERROR:
        return f"{sentence} to within {SMALL_ERROR:.4f}."
    return f"{sentence} to within {_rounded_up(max(errors))} only, because too many probabilities lie close together."


def _rounded_up(error: float) -> str:
    return f"{ceil(error * 1e4) / 1e4:.4f}"
