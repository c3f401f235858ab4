"""Which samples a part of a checkpoint's own data, or of other data, has."""

from collections.abc import Mapping, Sequence
from typing import Any

from lesionseg.data.cache import open_cache
from lesionseg.data.digests import digests_of, require_unchanged
from lesionseg.data.division import divide, require_same_files
from lesionseg.data.facts import Facts
from lesionseg.data.names import as_read
from lesionseg.data.sample import Sample
from lesionseg.data.source import Source
from lesionseg.errors import raise_all


def own_samples(source: Source, part: str, split: Mapping[str, Any]) -> list[Sample]:
    """Lists a part as the checkpoint's own split has it, whatever the rules would cut today.

    Args:
        source: The checkpoint's.
        part: `train`, `validation`, `test` or `all`.
        split: The checkpoint's.

    Raises:
        InputError: The data are gone or other files, wholly or in part.
    """
    at_hand = {as_read(sample.id): sample for sample in source.listing().checked().samples()}
    parts: Mapping[str, Sequence[str]] = split["parts"]
    wanted = sorted(id_ for members in parts.values() for id_ in members) if part == "all" else parts[part]
    raise_all(
        "The checkpoint's split names images that the data no longer have; give data=... to score others:",
        [id_ for id_ in wanted if as_read(id_) not in at_hand],
    )
    samples = [at_hand[as_read(id_)] for id_ in wanted]
    if then := split.get("files"):
        require_unchanged(then, digests_of(samples), origin="the checkpoint", remedy="give data=... to score others")
    return samples


def other_samples(source: Source, part: str, image_size: int) -> list[Sample]:
    """Lists a part of another source, split as its settings say.

    Args:
        source: Any.
        part: `train`, `validation`, `test` or `all`.
        image_size: At which images are compared, where the split needs that.

    Raises:
        InputError: Files are missing, do not pair up or are others than a manifest was made with.
    """
    listing = source.listing().checked()
    samples = listing.samples()
    if part == "all":
        return samples
    facts = Facts(samples, open_cache(source.cache, samples, image_size, source.cache_dir))
    ids = set(divide(source, listing, facts, check_leaks=False)["parts"][part])
    chosen = [sample for sample in samples if sample.id in ids]
    require_same_files(source, lambda: digests_of(chosen))
    return chosen
