"""Checkpoints: what they hold, and the one safe way to read them; `checkpoint/lightning_io.py` writes them.

Beside what Lightning needs to resume, a checkpoint holds under `lesionseg` plain values only:

    format     number of this layout
    config     the run's resolved configuration
    split      the ids of each part and their hash, and digests of each image's files
    code       version, git commit, whether the checkout was dirty
    libraries  versions
    metrics    what its epoch logged
    decision   what was fitted on the validation part after training, with the best weights, if it was: `settings` in
               place of the segmenter's in `config`, which stays what was asked for, what each of them changed, and
               the `temperature` of the probabilities, which older files lack
    ensemble   of an ensemble, which files it was made of
    descriptors  of the images of training and validation, if they are files: `ids`, and `values` (images, 11, 48) int8,
               by which any evaluation recognises them, see `lesionseg.data.descriptor`

So it opens with `weights_only=True`, which runs no code of the file, and needs no command line to be understood.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from lesionseg.checkpoint.contents import FORMAT, check_contents
from lesionseg.checkpoint.meta_device import without_memory
from lesionseg.checkpoint.pickle_scan import check_pickle
from lesionseg.checkpoint.safe_build import build_stored, build_strictly
from lesionseg.checkpoint.weights import weights_for
from lesionseg.checkpoint.zip_archive import open_archive
from lesionseg.config.old_names import current_settings
from lesionseg.data.descriptor import Descriptor
from lesionseg.data.source import Source
from lesionseg.errors import InputError
from lesionseg.model.segmenter import Segmenter
from lesionseg.postprocessing.postprocessing import Postprocessing
from lesionseg.postprocessing.temperature import NEUTRAL
from lesionseg.system.environment import code_version, library_versions

SEGMENTER_PREFIX = "segmenter."
LARGEST_STRIDE = 4096
"""Pixels; images are padded to multiples of a network's stride, and none is larger than this."""
MOST_MEMBERS = 100
"""Of an ensemble: ten folds with ten seeds each."""


def record(
    config: Mapping[str, Any], split: Mapping[str, Any], descriptors: Mapping[str, Descriptor]
) -> dict[str, Any]:
    """Collects what a checkpoint carries beside weights and training state; plain values and one tensor."""
    contents: dict[str, Any] = {
        "format": FORMAT,
        "config": config,
        "split": split,
        "code": code_version(),
        "libraries": library_versions(),
    }
    if descriptors:
        values = torch.from_numpy(np.stack(list(descriptors.values())))
        contents["descriptors"] = {"ids": list(descriptors), "values": values}
    return contents


def descriptors_of(checkpoint: Mapping[str, Any]) -> dict[str, Descriptor]:
    """Returns the descriptors of the images of training and validation by id; older files have none."""
    stored = checkpoint["lesionseg"].get("descriptors")
    return {} if stored is None else dict(zip(stored["ids"], stored["values"].numpy(), strict=True))


def read(path: Path) -> dict[str, Any]:
    """Reads a lesionseg checkpoint onto the CPU without running any code from it; see SECURITY.md.

    The file is held against what `torch.save` writes before `torch.load` sees it: first the zip file, every checksum
    included, then what the pickle asks for, and last what is in it.

    Raises:
        InputError: There is no such file, it is damaged or holds more than plain values, or it is not lesionseg's.
    """
    if not path.is_file():
        raise InputError(f"checkpoint={path}: there is no file {path.absolute()}")
    try:
        archive = open_archive(path)
        check_pickle(archive.pickle, archive.storages)
        checkpoint = _loaded(path)
        check_contents(checkpoint)
    except InputError as error:
        raise InputError(f"{path}: cannot be opened: {error}") from error
    checkpoint["lesionseg"]["config"] = current_settings(checkpoint["lesionseg"]["config"])
    return checkpoint


def _loaded(path: Path) -> dict[str, Any]:
    """Loads a file that has passed the checks, by torch's own loader that runs no code."""
    try:
        # mmap reads only the tensors that are used: a checkpoint also holds the optimizer's.
        checkpoint: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except Exception as error:  # torch.load raises many types for a damaged file
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(f"torch.load refuses it ({reason})") from error
    return checkpoint


def segmenter_of(checkpoint: Mapping[str, Any], *, plain: bool = False) -> Segmenter:
    """Rebuilds the segmenter with its weights (the averaged ones, where an average was kept), in evaluation mode.

    It is first built without memory, so that numbers in the file allocate nothing before the weights that the file has
    are known to fit.

    Args:
        checkpoint: As `read` returns it.
        plain: Decide as the training was configured to, and not as was fitted afterwards.

    Raises:
        InputError: The stored configuration names anything but a network of `lesionseg.model`, does not fit the
            stored weights, or these are no finite numbers.
    """
    try:
        config = _section(checkpoint, "lesionseg", "config")
        with without_memory():
            segmenter = _untrained(config)
        weights = weights_for(segmenter, segmenter_state(checkpoint))
        if dict(segmenter.named_buffers()).keys() - weights.keys():  # buffers that are computed and not stored
            segmenter = _untrained(config)
        segmenter.load_state_dict(weights, assign=True)
        if has_postprocessing(checkpoint) and not plain:
            settings = _section(checkpoint, "lesionseg", "decision", "settings")
            segmenter.postprocessing = build_strictly(Postprocessing, settings)
        if not (segmenter.std > 0).all():
            raise InputError(f"segmenter.std is {segmenter.std.flatten().tolist()}; allowed: above 0")
    except InputError as error:
        raise InputError(f"the checkpoint's model cannot be rebuilt: {error}") from error
    return segmenter.eval()


def has_postprocessing(checkpoint: Mapping[str, Any]) -> bool:
    """Tells whether a decision was fitted on the validation part."""
    return _section(checkpoint, "lesionseg").get("decision") is not None


def temperature_of(checkpoint: Mapping[str, Any]) -> float:
    """Returns the probabilities' temperature, see `lesionseg.postprocessing.temperature`; 1 where none was fitted."""
    postprocessing = _section(checkpoint, "lesionseg").get("decision") or {}
    return float(postprocessing.get("temperature", NEUTRAL))


def _untrained(config: Mapping[str, Any]) -> Segmenter:
    """Builds the segmenter that a configuration describes."""
    network = _stored_network(_section(config, "model"))
    stride = getattr(network, "stride", None)
    if type(stride) is not int or not 1 <= stride <= LARGEST_STRIDE:
        raise InputError(f"the file asks for {type(network).__name__}, which is no network: its stride is {stride}")
    return build_strictly(Segmenter, {"network": network, **_section(config, "segmenter")})


def _stored_network(node: Mapping[str, Any]) -> nn.Module:
    """Builds a network and, first, the members that it is an ensemble of; these are no ensembles themselves."""
    settings, members = dict(node), node.get("members")
    if isinstance(members, list) and all(isinstance(member, Mapping) for member in members):
        if len(members) > MOST_MEMBERS:
            raise InputError(f"the file asks for an ensemble of {len(members)} members; allowed: {MOST_MEMBERS}")
        settings["members"] = [build_stored(member, nn.Module, "lesionseg.model") for member in members]
    return build_stored(settings, nn.Module, "lesionseg.model")


def _section(contents: Any, *keys: str) -> Mapping[str, Any]:
    """Goes down to a section of a checkpoint."""
    for key in keys:
        contents = contents.get(key) if isinstance(contents, Mapping) else None
    if not isinstance(contents, Mapping):
        raise InputError(f"it has no section {'.'.join(keys)}; give a file that lesionseg.train has written")
    return contents


def segmenter_state(checkpoint: Mapping[str, Any]) -> dict[str, Any]:
    """Takes the segmenter's state dict out of a checkpoint."""
    state = _section(checkpoint, "state_dict").items()
    return {name.removeprefix(SEGMENTER_PREFIX): value for name, value in state if name.startswith(SEGMENTER_PREFIX)}


def source_of(checkpoint: Mapping[str, Any]) -> Source:
    """Rebuilds the data source the checkpoint was trained on.

    Raises:
        InputError: The stored configuration names anything but a source of `lesionseg.data`, or its root is gone.
    """
    return _stored_source(_section(checkpoint, "lesionseg", "config", "data"))


def _stored_source(node: Mapping[str, Any]) -> Source:
    """Builds a source and, first, the sources that it combines, which are settings that map names to sources."""
    settings: dict[str, Any] = {name: value for name, value in node.items() if name != "_convert_"}
    for name, value in settings.items():
        if isinstance(value, Mapping):
            settings[name] = {
                key: _stored_source(child) if isinstance(child, Mapping) else child for key, child in value.items()
            }
    return build_stored(settings, Source, "lesionseg.data")  # type: ignore[type-abstract]
