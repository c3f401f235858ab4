"""How near an area is to that of the single pixels is said where it matters."""

from dataclasses import replace

import pytest

from lesionseg.evaluation.summary import Summary
from lesionseg.report.pages import area_in_words, how_areas_are_made


@pytest.mark.parametrize(
    ("area", "error", "words"),
    [
        (0.97906, 2e-6, "0.9791"),
        (0.97906, None, "0.9791"),  # of a summary from before errors were known
        (0.97906, 0.00341, "0.9791, to within 0.0035"),
        (None, None, "undefined: all pixels are of one class"),
    ],
)
def test_an_area_is_written_with_what_it_may_be_off(area: float | None, error: float | None, words: str) -> None:
    assert area_in_words(area, error) == words


@pytest.mark.parametrize(
    ("errors", "words"),
    [
        ((2e-6, 5e-6), "those of the single pixels to within 0.0001."),
        ((2e-6, 0.013), "those of the single pixels to within 0.0130 only, because"),
    ],
)
def test_a_sentence_says_how_near_they_are(summary: Summary, errors: tuple[float, float], words: str) -> None:
    assert summary.curves is not None
    curves = replace(summary.curves, roc_area_error=errors[0], average_precision_error=errors[1])
    assert words in how_areas_are_made(curves)
    assert how_areas_are_made(replace(curves, roc_area_error=None, average_precision_error=None)) == ""
