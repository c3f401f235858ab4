"""Groups of like images whose scores are reported apart, from traits of the images and from a table.

The limits of the traits are fixed, so that groups of two data sets mean the same. Those of contrast and hair were
chosen on the 2000 training images of ISIC 2017: contrast divides them into 754, 535 and 711; less than 1 % of the skin
(72 % of the images) is a scale bar or a hair or two, and from 4 % on (9 %) most of the skin is crossed by hair.
"""

import logging
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lesionseg.data.names import examples
from lesionseg.data.table import read_metadata
from lesionseg.evaluation.settings import EvaluationSettings
from lesionseg.metrics.image_scores import ImageScores

log = logging.getLogger(__name__)

ABOVE_0, ABOVE_HALF = math.nextafter(0.0, 1.0), math.nextafter(0.5, 1.0)
TRAITS = {
    "lesion size": "lesion_share",
    "touches the border": "touches_border",
    "contrast": "contrast",
    "hair (estimated)": "hair",
}
"""Trait by stratum."""
GROUPS: dict[str, dict[str, float]] = {
    "lesion size": {
        "no lesion": 0.0,
        "small (under 5 %)": ABOVE_0,
        "medium (5 to 25 %)": 0.05,
        "large (25 to 50 %)": 0.25,
        "very large (over 50 %)": ABOVE_HALF,
    },
    "touches the border": {"no": 0.0, "yes": 0.5},
    "contrast": {"low (Delta E under 20)": 0.0, "medium (Delta E 20 to 30)": 20.0, "high (Delta E 30 and more)": 30.0},
    "hair (estimated)": {"none": 0.0, "some": 0.01, "much": 0.04},
}
"""Groups of each stratum in their natural order, each with its least value of the trait."""
UNKNOWN = "unknown"  # group of images without an entry in the table
MOST_NUMBERS = 8  # distinct numbers above which a column is cut into quartiles
FEWEST_GROUPS, MOST_GROUPS = 2, 12  # numbers of groups between which a column is worth a table of its own


def strata_of(traits: Mapping[str, float | None], *, image_id: str) -> dict[str, str]:
    """Returns the group of an image in each stratum; that of a trait which is missing or None is left out.

    The id names the image's source before a slash where sources are combined: `ph2/IMD002`.
    """
    strata = {}
    for name, trait in TRAITS.items():
        if (value := traits.get(trait)) is not None:
            strata[name] = [label for label, least in GROUPS[name].items() if value >= least][-1]
    source, slash, _ = image_id.partition("/")
    return strata | ({"source": source} if slash and source else {})


def check_metadata(settings: EvaluationSettings, ids: Sequence[str]) -> None:
    """Reads the table of the settings before the work, and warns of images without a row.

    Raises:
        InputError: The table does not fit, see `read_strata`.
    """
    found = _table_of(settings, ids)
    missing = [id_ for id_ in ids if id_ not in found]
    if settings.metadata is not None and missing:
        message = "%s has no row for %d of %d images (%s): their groups are unknown."
        log.warning(message, settings.metadata, len(missing), len(ids), examples(missing))


def with_metadata(images: Sequence[ImageScores], settings: EvaluationSettings) -> list[ImageScores]:
    """Adds the groups of the table that the settings name, if any, to the strata of each image.

    Raises:
        InputError: The table does not fit, see `read_strata`.
    """
    found = _table_of(settings, [image.id for image in images])
    unknown = {column: UNKNOWN for groups in found.values() for column in groups}
    return [replace(image, strata=image.strata | unknown | found.get(image.id, {})) for image in images]


def read_strata(
    path: Path, *, id_column: str, columns: Sequence[str] | None, ids: Sequence[str]
) -> dict[str, dict[str, str]]:
    """Reads the groups of each image from a table, in which a cell is a group.

    Without a choice of columns, all are read that divide these images into 2 to 12 groups. Columns with more than 8
    distinct numbers are cut into quartiles of these images, named by their least and greatest number: `35 to 50`.

    Returns:
        Groups by column, for each id that the table has; `unknown` where a cell is empty.

    Raises:
        InputError: See `lesionseg.data.table.read_metadata`.
    """
    rows = read_metadata(path, id_column=id_column, columns=columns, ids=ids)
    found = list(dict.fromkeys(column for row in rows.values() for column in row))
    groups = {column: _groups([row[column] or UNKNOWN for row in rows.values()]) for column in found}
    kept = [column for column in found if columns is not None or _divides(groups[column])]
    return {id_: {column: groups[column][place] for column in kept} for place, id_ in enumerate(rows)}


def order_groups(name: str, labels: Iterable[str]) -> list[str]:
    """Sorts the labels of a stratum.

    Groups of `GROUPS` come first; others follow by alphabet, with numbers by value; `unknown` comes last.
    """
    known = list(GROUPS.get(name, ()))
    return sorted(labels, key=lambda label: _place(label, known))


def _table_of(settings: EvaluationSettings, ids: Sequence[str]) -> dict[str, dict[str, str]]:
    if settings.metadata is None:
        return {}
    path = Path(settings.metadata)
    return read_strata(path, id_column=settings.metadata_id, columns=settings.metadata_columns, ids=ids)


def _place(label: str, known: list[str]) -> tuple[int, int, list[tuple[bool, float, str]], str]:
    if label in known:
        return 0, known.index(label), [], label
    # Odd parts are numbers, which come before text; text is compared without regard to case.
    parts = re.split(r"((?:(?<![\w.])-)?\d+(?:\.\d+)?)", label)
    natural = [(False, float(part), "") if odd % 2 else (True, 0.0, part.casefold()) for odd, part in enumerate(parts)]
    return 2 if label == UNKNOWN else 1, 0, [part for part in natural if part != (True, 0.0, "")], label


def _groups(cells: list[str]) -> list[str]:
    """Returns the cells of a column, or their quartiles where there are many numbers."""
    known = {cell for cell in cells if cell != UNKNOWN}
    numbers = {cell: number for cell in known if (number := _as_number(cell)) is not None}
    if len(numbers) < len(known) or len(set(numbers.values())) <= MOST_NUMBERS:
        return cells
    return _quartiles([numbers.get(cell) for cell in cells])


def _as_number(cell: str) -> float | None:
    try:
        number = float(cell)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _quartiles(numbers: Sequence[float | None]) -> list[str]:
    """Names the quartile of each number; equal numbers stay together, so there may be fewer than four."""
    known = np.array([number for number in numbers if number is not None])
    limits = np.quantile(known, (0.25, 0.5, 0.75))
    places = np.searchsorted(limits, known)  # a limit belongs to the quartile below it
    names = {place: _span(known[places == place]) for place in set(places.tolist())}
    return [UNKNOWN if number is None else names[int(np.searchsorted(limits, number))] for number in numbers]


def _span(numbers: NDArray[np.float64]) -> str:
    low, high = float(numbers.min()), float(numbers.max())
    return f"{low:g}" if low == high else f"{low:g} to {high:g}"


def _divides(groups: Iterable[str]) -> bool:
    return FEWEST_GROUPS <= len(set(groups) - {UNKNOWN}) <= MOST_GROUPS
