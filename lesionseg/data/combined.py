"""Several sources as one: train on some, test on others."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace

from lesionseg.data.names import archive_group
from lesionseg.data.source import RULES, SUBSETS, Listing, Sample, Source, Subset
from lesionseg.errors import InputError, raise_all


@dataclass(frozen=True, kw_only=True)
class Combined(Source):
    """Training sources give training and validation, test sources the test subset.

    An id becomes `<name>/<id>`, for example `isic2017/ISIC_0000001`. Training sources contribute the subsets published
    for training and validation (all images, if none were published); their test subsets are unused. Test sources
    contribute every image. The combined source has its own `data.split`, `data.fold` and so on; those of the sources in
    it stay at their defaults. Leaks between sources are found by pictures, and by names of images, lesions and patients
    in public archives; see `lesionseg.data.names`.

    Licence and citation: those of all sources.

    Attributes:
        train: Sources for training and validation by name; None leaves one out.
        test: Sources for testing by name; None leaves one out.
    """

    train: Mapping[str, Source | None]
    test: Mapping[str, Source | None]

    def __post_init__(self) -> None:
        """Checks that there is a source to train on, and that the settings of all have an effect."""
        super().__post_init__()
        for use, sources in (("train", self.train), ("test", self.test)):
            if not isinstance(sources, Mapping) or not all(isinstance(s, Source | None) for s in sources.values()):
                raise InputError(f"data.{use} is {sources!r}; allowed: data sources by name")
        if not any(self.train.values()):
            raise InputError("data.train names no source; give at least one, for example data@data.train.mine=folder")
        raise_all("The combined sources have faults:", list(self._ignored_settings()))

    def require(self) -> None:
        """Checks the files of every source."""
        for use, name, source in self._sources():
            with _named(use, name):
                source.require()

    def listing(self) -> Listing:
        """Lists the samples of all sources under their new ids."""
        subsets: dict[Subset, list[Sample]] = {subset: [] for subset in SUBSETS}
        listings: list[Listing] = []
        ungrouped: set[str] = set()
        for use, name, source in self._sources():
            with _named(use, name):
                listing = source.listing()
            listings.append(listing)
            ungrouped |= {f"{name}/{id_}" for id_ in listing.ungrouped}
            for published in SUBSETS:
                if use == "test" or published != "test":
                    renamed = [_renamed(sample, name) for sample in listing.subsets[published]]
                    subsets["test" if use == "test" else published] += renamed
        ids = {sample.id for samples in subsets.values() for sample in samples}
        return Listing(
            {subset: sorted(samples, key=lambda sample: sample.id) for subset, samples in subsets.items()},
            official=True,
            faults=[fault for listing in listings for fault in listing.faults],
            ungrouped=sorted(ungrouped & ids),
            found=[line for listing in listings for line in listing.found],
            passed_over=[text for listing in listings for text in listing.passed_over],
        )

    def _sources(self) -> Iterator[tuple[str, str, Source]]:
        for use, sources in (("train", self.train), ("test", self.test)):
            yield from ((use, name, source) for name, source in sources.items() if source is not None)

    def _ignored_settings(self) -> Iterator[str]:
        for use, name, source in self._sources():
            if source.fold is not None or source.split not in RULES:
                yield (
                    f"data.{use}.{name} has its own fold or manifest, but combined sources are cut together: "
                    "give data.fold or data.split"
                )


@contextmanager
def _named(use: str, name: str) -> Iterator[None]:
    """Adds the name of the source to an error, whose data.root is that of the source."""
    try:
        yield
    except InputError as error:
        raise InputError(f"data.{use}.{name}: {error}") from error


def source_name(id_: str) -> str:
    """Returns the name of the combined source that an id comes from; empty for any other id."""
    return id_.rpartition("/")[0]


def _renamed(sample: Sample, source: str) -> Sample:
    group = sample.group and (archive_group(sample.group) or f"{source}/{sample.group}")
    return replace(sample, id=f"{source}/{sample.id}", group=group)
