"""One checkpoint of an ensemble from several checkpoints."""

import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import torch

from lesionseg.checkpoint.layout import contents_of, descriptors_of, has_postprocessing, record, temperature_of
from lesionseg.checkpoint.lightning_io import AtomicCheckpointIO
from lesionseg.checkpoint.reading import read
from lesionseg.checkpoint.rebuild import MOST_MEMBERS, segmenter_of
from lesionseg.checkpoint.safetensors import SUFFIX, write_safetensors
from lesionseg.data.manifest import changes, manifest, with_digests
from lesionseg.data.names import examples
from lesionseg.data.source import SUBSETS
from lesionseg.errors import InputError, raise_all
from lesionseg.model.ensemble import Ensemble
from lesionseg.model.segmenter import Segmenter
from lesionseg.postprocessing.postprocessing import Postprocessing, Tta
from lesionseg.system.files import file_sha256

FEWEST = 2
IN_WORDS = "median of the members' thresholds; of views and changes of regions, what most members have"
TARGET = f"{Ensemble.__module__}.{Ensemble.__qualname__}"


@dataclass(frozen=True)
class Member:
    """A checkpoint that becomes a member, and its segmenter with its fitted postprocessing."""

    path: Path
    checkpoint: Mapping[str, Any]
    segmenter: Segmenter

    @property
    def config(self) -> Mapping[str, Any]:
        """Configuration of the training."""
        config: Mapping[str, Any] = self.checkpoint["lesionseg"]["config"]
        return config

    @property
    def split(self) -> Mapping[str, Any]:
        """Manifest of the split: ids by subset under `parts`, and digests of files by id under `files`."""
        split: Mapping[str, Any] = self.checkpoint["lesionseg"]["split"]
        return split

    def facts(self) -> dict[str, Any]:
        """Describes the member in plain values."""
        return {
            "file": str(self.path),
            "sha256": file_sha256(self.path),
            "seed": self.config["seed"],
            "fold": self.config["data"].get("fold"),
            "split_sha256": self.split["sha256"],
            "decision": self.segmenter.postprocessing.settings(),
        }


def write_ensemble(checkpoints: Sequence[Path], path: Path) -> None:
    """Writes the checkpoint of an ensemble as a training would have written it, and its weights as `.safetensors`.

    Its training subset is the union of the members', so that `evaluate` and `predict` know every image that a member
    was trained on. Its validation and test subsets hold the images that are in that subset of all members and that no
    member was trained on; after a cross-validation, the validation subset is empty. `consensus` gives its
    postprocessing.

    Args:
        checkpoints: Two files or more, none of them an ensemble.
        path: New file, which replaces an existing one.

    Raises:
        InputError: A file cannot be opened, or the files do not fit together; lists every fault.
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


def consensus(members: Sequence[Postprocessing]) -> Postprocessing:
    """Returns the median threshold with the majority's other settings; the setting that does less wins a tie.

    Nothing is fitted again, because no image is left on which none of the members was trained.

    Args:
        members: Post-processing of each member, at least one.
    """
    views = [member.views for member in members]
    half = len(members) / 2
    return Postprocessing(
        threshold=float(statistics.median(member.threshold for member in members)),
        views=max(get_args(Tta), key=views.count),  # the first of equals
        largest_component=sum(member.largest_component for member in members) > half,
        fill_holes=sum(member.fill_holes for member in members) > half,
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
    """Describes where members differ from the first in a value that all have to share."""
    first = value(members[0])
    for member in members[1:]:
        if value(member) != first:
            yield f"{name} is {first} in {members[0].path} and {value(member)} in {member.path}; all have to share it"


def _other_files(members: Sequence[Member]) -> Iterator[str]:
    """Describes images whose files differ between members."""
    known: dict[str, str] = {}
    for member in members:
        files = member.split.get("files", {})
        found = changes(known, files)
        if found:
            yield f"{member.path}: {len(found)} of its images are other files than another member's: {examples(found)}"
        known |= files


def _config(members: Sequence[Member]) -> dict[str, Any]:
    """Returns the first member's configuration with the ensemble's name, network and postprocessing."""
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
    """Returns the ensemble's split, see `write_ensemble`."""
    trained = {id_ for member in members for id_ in member.split["parts"]["train"]}
    shared = {part: set.intersection(*(set(member.split["parts"][part]) for member in members)) for part in SUBSETS}
    parts = {"train": trained, "validation": shared["validation"] - trained, "test": shared["test"] - trained}
    how = {"split": "ensemble", "members": [member.split["sha256"] for member in members]}
    files = {id_: digests for member in members for id_, digests in member.split.get("files", {}).items()}
    return with_digests(manifest({part: sorted(parts[part]) for part in SUBSETS}, how), files)


def _postprocessing(members: Sequence[Member]) -> dict[str, Any]:
    postprocessings: list[Postprocessing] = [member.segmenter.postprocessing for member in members]
    fitted = [member.checkpoint for member in members if has_postprocessing(member.checkpoint)]
    images = [checkpoint["lesionseg"]["decision"]["images"] for checkpoint in fitted]
    temperature = statistics.median(temperature_of(member.checkpoint) for member in members)
    settled = {"settings": consensus(postprocessings).settings(), "temperature": temperature}
    return settled | {"images": sum(images), "how": IN_WORDS}


def _numbers(channels: torch.Tensor) -> list[float]:
    return [float(value) for value in channels.flatten()]
