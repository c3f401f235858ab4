"""From several checkpoints to one of their ensemble, which everything takes that takes a checkpoint."""

import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from lesionseg.checkpoint.layout import contents_of, descriptors_of, has_postprocessing, record, temperature_of
from lesionseg.checkpoint.lightning_io import AtomicCheckpointIO
from lesionseg.checkpoint.reading import read
from lesionseg.checkpoint.rebuild import MOST_MEMBERS, segmenter_of
from lesionseg.checkpoint.safetensors import SUFFIX, write_safetensors
from lesionseg.data.manifest import changes, manifest, with_digests
from lesionseg.data.names import examples
from lesionseg.data.source import PARTS
from lesionseg.errors import InputError, raise_all
from lesionseg.model.engine import file_digest
from lesionseg.model.ensemble import Ensemble
from lesionseg.model.segmenter import Segmenter
from lesionseg.postprocessing.postprocessing import Postprocessing
from lesionseg.study.ensemble_postprocessing import IN_WORDS, consensus

FEWEST = 2
TARGET = f"{Ensemble.__module__}.{Ensemble.__qualname__}"


@dataclass(frozen=True)
class Member:
    """A checkpoint that is to be a member, and its segmenter with the decision that it makes."""

    path: Path
    checkpoint: Mapping[str, Any]
    segmenter: Segmenter

    @property
    def record(self) -> Mapping[str, Any]:
        """What lesionseg has stored in it."""
        stored: Mapping[str, Any] = self.checkpoint["lesionseg"]
        return stored

    @property
    def config(self) -> Mapping[str, Any]:
        """The configuration that it was trained with."""
        config: Mapping[str, Any] = self.record["config"]
        return config

    @property
    def parts(self) -> Mapping[str, Sequence[str]]:
        """The images of each part."""
        parts: Mapping[str, Sequence[str]] = self.record["split"]["parts"]
        return parts

    @property
    def files(self) -> Mapping[str, str]:
        """Digests of the images' files, as far as they are known."""
        files: Mapping[str, str] = self.record["split"].get("files", {})
        return files

    def facts(self) -> dict[str, Any]:
        """Says in plain values what went into the ensemble."""
        return {
            "file": str(self.path),
            "sha256": file_digest(self.path),
            "seed": self.config["seed"],
            "fold": self.config["data"].get("fold"),
            "split_sha256": self.record["split"]["sha256"],
            "decision": self.segmenter.postprocessing.settings(),
        }


def write_ensemble(checkpoints: Sequence[Path], path: Path) -> None:
    """Writes an ensemble's checkpoint as one training would have written it, and its weights as `.safetensors`.

    Its training part is the union of the members', so that `evaluate` and `predict` know all images that one of them
    was trained on; its validation and its test part have what is in that part of every member's and was trained on by
    none: after a cross-validation nothing is left for validation. Its decision is the members', see `consensus`.

    Args:
        checkpoints: Two or more files, none of them an ensemble.
        path: The new file; one that is there is replaced.

    Raises:
        InputError: A file cannot be opened, or they do not fit together; lists every fault.
    """
    members = [_opened(file) for file in checkpoints]
    raise_all("These checkpoints cannot be an ensemble:", list(_faults(members)))
    contents = ensemble_of(members)
    AtomicCheckpointIO().save_checkpoint(contents, path)
    write_safetensors(contents, path.with_suffix(SUFFIX))
    segmenter_of(read(path))  # it opens as any other does


def ensemble_of(members: Sequence[Member]) -> dict[str, Any]:
    """Returns the contents of the ensemble's checkpoint, see `lesionseg.checkpoint.layout`."""
    described = {id_: value for member in members for id_, value in descriptors_of(member.checkpoint).items()}
    facts = {"metrics": {}, "ensemble": [one.facts() for one in members]}
    stored = record(_config(members), _split(members), described) | facts
    if any(has_postprocessing(member.checkpoint) for member in members):
        stored["decision"] = _postprocessing(members)
    first = members[0].segmenter
    ensemble = Ensemble(members=[member.segmenter.network for member in members])
    segmenter = Segmenter(ensemble, mean=_numbers(first.mean), std=_numbers(first.std), threshold=first.threshold)
    return contents_of(
        stored,
        segmenter.state_dict(),
        epoch=max(member.checkpoint["epoch"] for member in members),
        global_step=max(member.checkpoint["global_step"] for member in members),
    )


def _opened(path: Path) -> Member:
    checkpoint = read(path)
    try:
        return Member(path, checkpoint, segmenter_of(checkpoint))
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def _faults(members: Sequence[Member]) -> Iterator[str]:
    if not FEWEST <= len(members) <= MOST_MEMBERS:
        yield f"{len(members)} given; allowed: {FEWEST} to {MOST_MEMBERS}"
        return
    for member in members:
        if isinstance(member.segmenter.network, Ensemble):
            yield f"{member.path} is an ensemble itself; give its members, which it names"
    yield from _other_files(members)
    yield from _differing(members, "image_size", lambda member: member.config["image_size"])
    yield from _differing(members, "segmenter.mean", lambda member: _numbers(member.segmenter.mean))
    yield from _differing(members, "segmenter.std", lambda member: _numbers(member.segmenter.std))


def _differing(members: Sequence[Member], name: str, value: Callable[[Member], Any]) -> Iterator[str]:
    """Says where a member differs from the first in what all have to share."""
    first = value(members[0])
    for member in members[1:]:
        if value(member) != first:
            yield f"{name} is {first} in {members[0].path} and {value(member)} in {member.path}; all have to share it"


def _other_files(members: Sequence[Member]) -> Iterator[str]:
    """Says which images of a member are other files than the first one's of that name."""
    known: dict[str, str] = {}
    for member in members:
        found = changes(known, member.files)
        if found:
            yield f"{member.path}: {len(found)} of its images are other files than another member's: {examples(found)}"
        known |= member.files


def _config(members: Sequence[Member]) -> dict[str, Any]:
    """Describes the ensemble as a training's configuration would: the first member's, but for what is its own."""
    first = members[0].config
    configured = consensus([segmenter_of(member.checkpoint, plain=True).postprocessing for member in members])
    return {
        **first,
        "name": f"{first['name']} ensemble of {len(members)}",
        "model": {"_target_": TARGET, "members": [dict(member.config["model"]) for member in members]},
        "segmenter": {**first["segmenter"], **configured.settings()},
        "data": {**first["data"], "fold": None} if "fold" in first["data"] else first["data"],
    }


def _split(members: Sequence[Member]) -> dict[str, Any]:
    """Divides the images as the ensemble knows them."""
    trained = {id_ for member in members for id_ in member.parts["train"]}
    shared = {part: set.intersection(*(set(member.parts[part]) for member in members)) for part in PARTS}
    parts = {"train": trained, "validation": shared["validation"] - trained, "test": shared["test"] - trained}
    how = {"split": "ensemble", "members": [member.record["split"]["sha256"] for member in members]}
    files = {id_: digests for member in members for id_, digests in member.files.items()}
    return with_digests(manifest({part: sorted(parts[part]) for part in PARTS}, how), files)


def _postprocessing(members: Sequence[Member]) -> dict[str, Any]:
    """Settles the decision from the members' own."""
    postprocessings: list[Postprocessing] = [member.segmenter.postprocessing for member in members]
    images = [member.record["decision"]["images"] for member in members if has_postprocessing(member.checkpoint)]
    temperature = statistics.median(temperature_of(member.checkpoint) for member in members)
    settled = {"settings": consensus(postprocessings).settings(), "temperature": temperature}
    return settled | {"images": sum(images), "how": IN_WORDS}


def _numbers(channels: torch.Tensor) -> list[float]:
    return [float(value) for value in channels.flatten()]
