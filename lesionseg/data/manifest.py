"""Manifests: the ids of each subset of a split and digests of the files, as JSON."""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lesionseg.data.names import as_read
from lesionseg.data.source import SUBSETS, Sample, Source, Subset
from lesionseg.errors import InputError, raise_all
from lesionseg.system.files import contents_sha256, file_sha256
from lesionseg.system.machine import on_all_cores

DIGITS = 16
"""Hexadecimal digits of a SHA-256 that are kept. Two of 100,000 files agree in them with a probability of 10^-9."""
FILES = ("image", "mask")  # files of a sample in the order of its digests

Digests = Mapping[str, str]
"""Sample id to the digests of its files, `<image> <mask>`."""


def manifest(subsets: Mapping[Subset, Sequence[str]], how: Mapping[str, Any]) -> dict[str, Any]:
    """Builds a manifest from the ids of each subset and the settings that the split was made with.

    The key `sha256` is a hash of the ids alone: it tells whether two runs split the same ids alike. `with_digests` adds
    the contents of the files.
    """
    ids = {subset: sorted(subsets.get(subset, ())) for subset in sorted(SUBSETS)}
    return {"parts": ids, "sha256": _hash(ids), "how": dict(how)}


def with_digests(split: Mapping[str, Any], digests: Digests) -> dict[str, Any]:
    """Adds the digests of a manifest's files, if it has any, under `files`."""
    files = {id_: digests[id_] for members in split["parts"].values() for id_ in members if id_ in digests}
    return {**split, "files": files} if files else dict(split)


def read_manifest(path: Path, known: Sequence[str]) -> dict[Subset, list[str]]:
    """Reads the subsets of a manifest, either a run's `split.json` or one written by hand.

    Args:
        path: JSON file: `{"parts": {"train": [ids], "validation": [ids], "test": [ids]}}`, where `test` is optional. If
            it has `sha256`, the ids must match.
        known: Ids of the source; those that the manifest does not name are in no subset.

    Raises:
        InputError: The file is missing or no manifest, names an unknown id or one twice, or was changed.
    """
    with _explained(path):
        written = json.loads(path.read_text(encoding="utf-8"))
        subsets = {subset: [str(id_) for id_ in written["parts"].get(subset, [])] for subset in sorted(SUBSETS)}
        unknown_subsets = sorted(set(written["parts"]) - set(SUBSETS))
    known_as = {as_read(id_): id_ for id_ in known}
    hash_fits = written.get("sha256") in (None, _hash(subsets))
    subsets = {subset: [known_as.get(as_read(id_), id_) for id_ in ids] for subset, ids in subsets.items()}
    everyone = [id_ for ids in subsets.values() for id_ in ids]
    findings = [f"there is no subset {subset}; allowed: {', '.join(SUBSETS)}" for subset in unknown_subsets]
    findings += [f"the data have no image {id_}" for id_ in sorted(set(everyone) - set(known))]
    findings += [f"{id_} is listed more than once" for id_, times in sorted(Counter(everyone).items()) if times > 1]
    findings += [f"subset {subset} is empty" for subset in ("train", "validation") if not subsets[subset]]
    if not hash_fits:
        findings.append("the ids are not those of its sha256; if the change was meant, take sha256 out")
    raise_all(f"data.split={path} does not fit:", findings)
    return {subset: sorted(subsets[subset]) for subset in SUBSETS}


def read_digests(path: Path) -> dict[str, str]:
    """Reads the digests of a manifest's files; an old or handwritten manifest has none.

    Raises:
        InputError: The file is missing or no manifest.
    """
    with _explained(path):
        files = json.loads(path.read_text(encoding="utf-8")).get("files") or {}
        return {str(id_): str(digests) for id_, digests in files.items()}


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Says what a manifest is if reading one fails."""
    try:
        yield
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"data.split={path}: not a manifest ({type(error).__name__}: {error}); expected JSON with parts, and in it "
            f"a list of ids for each of {', '.join(SUBSETS)}"
        ) from error


def _hash(subsets: Mapping[Subset, Sequence[str]]) -> str:
    return contents_sha256({subset: sorted(members) for subset, members in subsets.items()})


def digests_of(samples: Sequence[Sample]) -> dict[str, str]:
    """Digests the files of samples on all cores with a progress bar; drawn samples have none.

    Raises:
        InputError: A file cannot be read.
    """
    with_files = [sample for sample in samples if sample.files]
    title = f"digesting {len(with_files)} pairs"
    found = on_all_cores(lambda sample: " ".join(map(file_digest, sample.files)), with_files, title)
    return {sample.id: digests for sample, digests in zip(with_files, found, strict=True)}


def file_digest(path: Path) -> str:
    """Returns the first digits of a file's SHA-256, as `sha256sum` prints it.

    Raises:
        InputError: The file cannot be read.
    """
    try:
        return file_sha256(path)[:DIGITS]
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error


def changes(then: Digests, now: Digests) -> dict[str, str]:
    """Compares the digests of the samples that both have.

    Returns:
        Id to `image`, `mask` or `image and mask`, for samples whose files differ.
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
    """Checks that files are those that were recorded by `origin`.

    Raises:
        InputError: Lists the samples whose files differ, and gives `remedy` as alternative to putting them back.
    """
    findings = [f"{id_} ({files})" for id_, files in changes(then, now).items()]
    raise_all(
        f"{len(findings)} of {len(now)} images are other files than {origin} was made with, so "
        f"results would be called by its name but be of other data; put the files back, or {remedy}:",
        findings,
    )


def require_same_files(source: Source, digests: Callable[[], Digests]) -> None:
    """Checks that the files are those that the source's manifest, if any, was written for.

    The digests of the samples are computed only if needed.

    Raises:
        InputError: The file is no manifest, or files differ; the message lists their samples.
    """
    if source.split.endswith(".json") and (then := read_digests(Path(source.split))):
        remedy = "take `files` out of it if the change was meant"
        require_unchanged(then, digests(), origin=f"data.split={source.split}", remedy=remedy)
