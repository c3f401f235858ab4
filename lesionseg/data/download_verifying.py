"""Whether what came is what was published, and what to do with it."""

from collections.abc import Mapping
from pathlib import Path

from lesionseg.config.quoting import override
from lesionseg.data.download_choice import name_of
from lesionseg.data.source import Part, Source
from lesionseg.errors import raise_all


def official_counts(source: Source, root: Path) -> dict[Part, int]:
    """Pairs images with masks and counts each published part.

    Raises:
        InputError: Files do not pair up, or a part has another number of pairs than was published.
    """
    parts = source.listing().checked().parts
    counts: dict[Part, int] = {part: len(parts[part]) for part in source.OFFICIAL_COUNTS}
    findings = [
        f"{part}: found {counts[part]} pairs, expected {expected}"
        for part, expected in source.OFFICIAL_COUNTS.items()
        if counts[part] != expected
    ]
    raise_all(
        f"{root} does not hold what was published; delete the folders of these parts there and run the same command "
        "again:",
        findings,
    )
    return counts


def print_next_steps(source: Source, root: Path, counts: Mapping[Part, int]) -> None:
    """Says where the data are, how many, and which commands use them."""
    pairs = ", ".join(f"{part} {count}" for part, count in counts.items())
    chosen = f"data={name_of(type(source))} {override('data.root', str(root))}"
    print(f"\nComplete in {root}: {pairs} pairs")
    print(f"\nLook at them:  python -m lesionseg.check_data {chosen}")
    print(f"Train on them: python -m lesionseg.train {chosen}", flush=True)
