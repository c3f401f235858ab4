"""Digests of images and masks: whether a split's files are still those that it was written for."""

import hashlib
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from rich.progress import track

from lesionseg.data.names import as_read
from lesionseg.data.sample import Sample
from lesionseg.errors import InputError, raise_all
from lesionseg.system.cores import usable_cores

DIGITS = 16
"""Hexadecimal digits of a file's SHA-256 that are kept: two of 100,000 files are equal in them once in 10^9 times."""
FILES = ("image", "mask")
"""What the digests of a sample are of, in their order."""

Digests = Mapping[str, str]
"""Sample id to its files' digests, `<image> <mask>`."""


def digests_of(samples: Sequence[Sample]) -> dict[str, str]:
    """Digests the files of samples on all cores, with a progress bar; those that are computed have none.

    Raises:
        InputError: A file cannot be read.
    """
    stored = [sample for sample in samples if sample.files]
    with ThreadPoolExecutor(usable_cores()) as threads:
        results = threads.map(lambda sample: " ".join(map(file_digest, sample.files)), stored)
        text, hidden = f"digesting {len(stored)} pairs", not sys.stdout.isatty()
        bar = track(results, text, total=len(stored), transient=True, disable=hidden)
        return {sample.id: digest for sample, digest in zip(stored, bar, strict=True)}


def file_digest(path: Path) -> str:
    """Returns the first digits of a file's SHA-256, as `sha256sum` prints it.

    Raises:
        InputError: It cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()[:DIGITS]
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error


def with_digests(split: Mapping[str, Any], digests: Digests) -> dict[str, Any]:
    """Adds the digests of a manifest's images to it; nothing where none of them has files."""
    files = {id_: digests[id_] for members in split["parts"].values() for id_ in members if id_ in digests}
    return {**split, "files": files} if files else dict(split)


def changes(then: Digests, now: Digests) -> dict[str, str]:
    """Finds the samples whose files are others than they were, of those that both know.

    Returns:
        Id to `image`, `mask` or `image and mask`.
    """
    then, now = ({as_read(id_): digests for id_, digests in known.items()} for known in (then, now))
    found = {}
    for id_ in sorted(then.keys() & now.keys()):
        pairs = zip(FILES, then[id_].split(), now[id_].split(), strict=False)
        differing = [name for name, one, other in pairs if one != other]
        if differing:
            found[id_] = " and ".join(differing)
    return found


def require_unchanged(then: Digests, now: Digests, *, origin: str, remedy: str) -> None:
    """Makes sure that files are what they were.

    Args:
        then: As they were written down.
        now: As they are.
        origin: Where `then` was written down.
        remedy: What else can be done.

    Raises:
        InputError: Lists the samples whose files are others.
    """
    findings = [f"{id_} ({files})" for id_, files in changes(then, now).items()]
    raise_all(
        f"{len(findings)} of {len(now)} images are other files than {origin} was made with, so "
        f"results would be called by its name but be of other data; put the files back, or {remedy}:",
        findings,
    )
