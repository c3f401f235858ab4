"""Groups of like images, whose scores are told apart.

The limits are fixed, so that the groups of two data sets mean the same. Those of contrast and hair were chosen on the
2000 training images of ISIC 2017: contrast divides them into 754, 535 and 711; less than 1 % of the skin (72 % of the
images) is a scale bar or a hair or two, and from 4 % on (9 %) most of the skin is crossed by hair.
"""

import re
from collections.abc import Iterable, Mapping

SMALL, MEDIUM, LARGE = 0.05, 0.25, 0.5
"""Limits of `lesion_share`."""
LOW_CONTRAST, HIGH_CONTRAST = 20, 30
"""Limits of `contrast`, in Delta E."""
SOME_HAIR, MUCH_HAIR = 0.01, 0.04
"""Limits of `hair`, as a share of the skin."""
UNKNOWN = "unknown"
"""The group of images of which a table says nothing."""

GROUP_ORDER: dict[str, tuple[str, ...]] = {
    "lesion size": (
        "no lesion",
        "small (under 5 %)",
        "medium (5 to 25 %)",
        "large (25 to 50 %)",
        "very large (over 50 %)",
    ),
    "touches the border": ("no", "yes"),
    "contrast": ("low (Delta E under 20)", "medium (Delta E 20 to 30)", "high (Delta E 30 and more)"),
    "hair (estimated)": ("none", "some", "much"),
}
"""Each stratum's groups in their natural order."""


def strata_of(traits: Mapping[str, float | None], *, image_id: str) -> dict[str, str]:
    """Puts an image into its groups.

    Args:
        traits: As `lesionseg.evaluation.traits` names them; where one is missing or None, its stratum is left out.
        image_id: With the source before a slash, `ph2/IMD002`, where sources are combined; else there is no source.

    Returns:
        Stratum to group.
    """
    numbers = {
        "lesion size": _lesion_size(traits.get("lesion_share")),
        "touches the border": _third(traits.get("touches_border"), 0.5, 1.5),
        "contrast": _third(traits.get("contrast"), LOW_CONTRAST, HIGH_CONTRAST),
        "hair (estimated)": _third(traits.get("hair"), SOME_HAIR, MUCH_HAIR),
    }
    strata = {name: GROUP_ORDER[name][number] for name, number in numbers.items() if number is not None}
    source, slash, _ = image_id.partition("/")
    return strata | ({"source": source} if slash and source else {})


def order_groups(name: str, labels: Iterable[str]) -> list[str]:
    """Puts a stratum's labels in their natural order.

    Groups of `GROUP_ORDER` come first; others follow by the alphabet, numbers in them by value; `unknown` comes last.
    """
    known = GROUP_ORDER.get(name, ())
    return sorted(labels, key=lambda label: _place(label, known))


def _lesion_size(share: float | None) -> int | None:
    """Numbers the groups; just 5 % is medium, just 25 % large, and just 50 % not yet very large."""
    if share is None:
        return None
    return (share > 0) + (share >= SMALL) + (share >= MEDIUM) + (share > LARGE)


def _third(value: float | None, low: float, high: float) -> int | None:
    return None if value is None else (value >= low) + (value >= high)


def _place(label: str, known: tuple[str, ...]) -> tuple[int, int, list[tuple[bool, float, str]], str]:
    if label in known:
        return 0, known.index(label), [], label
    # Odd parts are numbers; a number comes before text, and text is compared without regard to case.
    parts = re.split(r"((?:(?<![\w.])-)?\d+(?:\.\d+)?)", label)
    natural = [(False, float(part), "") if odd % 2 else (True, 0.0, part.casefold()) for odd, part in enumerate(parts)]
    return 2 if label == UNKNOWN else 1, 0, [part for part in natural if part != (True, 0.0, "")], label
