"""Contents of a checkpoint: how they are put together and checked.

Beside what Lightning needs to resume, a checkpoint holds plain values under `lesionseg`:

    format       number of this layout
    config       resolved configuration of the run
    split        ids of each subset with their hash, and digests of each image's files
    code         version, git commit, whether the checkout was dirty
    libraries    versions
    metrics      values that its epoch logged
    decision     post-processing that was fitted on the validation subset with the best weights, if it was: `settings`
                 replace the segmenter's in `config`, which stays as it was asked for; what each of them changed; and
                 the `temperature` of the probabilities, which older files lack
    ensemble     files that an ensemble was made of
    descriptors  descriptors of the training and validation images, by which any evaluation recognises them: `ids`, and
                 `values` (images, 11, 48) int8, see `lesionseg.data.descriptor`

So it opens with `weights_only=True`, which runs no code of the file, and needs no command line to be understood.
"""

import reprlib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Self

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError, model_validator
from torch import Tensor

from lesionseg.data.descriptor import ANGLES, RINGS, Descriptor
from lesionseg.data.synthetic import trains_on_drawn_images
from lesionseg.errors import InputError, raise_all
from lesionseg.model.engine import ModelFacts, id_digest
from lesionseg.postprocessing.postprocessing import Postprocessing, Tta
from lesionseg.postprocessing.temperature import HIGHEST, LOWEST, NEUTRAL
from lesionseg.system.environment import code_version, library_versions
from lesionseg.system.files import file_sha256

SEGMENTER_PREFIX = "segmenter."
"""Prefix of the segmenter's weights among those of the Lightning module."""
LIGHTNING_VERSION = "pytorch-lightning_version"
AVERAGED = "averaging_state"
"""Key of a checkpoint whose weights are averages over training steps."""
FORMAT = 1
"""Number of the layout above."""

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Count = Annotated[int, Field(ge=0, lt=2**63)]
# Lightning compares it with its own version to migrate older files, and knows no way from before 2.
LightningVersion = Annotated[str, Field(pattern=r"^2\.[0-9]{1,6}\.[0-9]{1,6}(\.?(a|b|rc|dev|post)[0-9]{1,12})?$")]


class _Section(BaseModel):
    """Refuses a value of another type, such as `1` for `True`, and allows further keys."""

    model_config = ConfigDict(strict=True, extra="allow", arbitrary_types_allowed=True, hide_input_in_errors=True)


class _Subsets(_Section):
    train: list[str]
    validation: list[str]
    test: list[str]


class _Split(_Section):
    parts: _Subsets
    sha256: Sha256
    files: dict[str, str] = Field(default_factory=dict)


class _Config(_Section):
    """Configuration, whose nodes are checked where they are built."""

    __pydantic_extra__: dict[str, JsonValue]
    name: str
    seed: Count
    image_size: Annotated[int, Field(ge=32, le=4096)]
    model: dict[str, JsonValue]
    segmenter: dict[str, JsonValue]
    data: dict[str, JsonValue]


class _Code(_Section):
    version: str


class _Settings(_Section):
    threshold: Annotated[float, Field(gt=0, lt=1)]
    views: Tta
    largest_component: bool
    fill_holes: bool


class _Postprocessing(_Section):
    """Fitted post-processing, whose further keys are for people to read."""

    __pydantic_extra__: dict[str, JsonValue]
    settings: _Settings
    images: Count
    temperature: Annotated[float, Field(ge=LOWEST, le=HIGHEST)] = NEUTRAL


class _Descriptors(_Section):
    ids: list[str]
    values: Tensor

    @model_validator(mode="after")
    def _fits(self) -> Self:
        wanted = (len(self.ids), RINGS, ANGLES)
        if self.values.dtype != torch.int8 or tuple(self.values.shape) != wanted:
            raise ValueError(f"they are {self.values.dtype} {tuple(self.values.shape)}; allowed: int8 {wanted}")
        return self


class _Record(_Section):
    config: _Config
    split: _Split
    code: _Code
    libraries: dict[str, str | None]
    metrics: dict[str, float]
    decision: _Postprocessing | None = None
    descriptors: _Descriptors | None = None


class _Contents(_Section):
    lesionseg: _Record
    state_dict: dict[str, Tensor]
    epoch: Count
    global_step: Count
    lightning_version: LightningVersion = Field(alias="pytorch-lightning_version")  # literally, as mypy needs it


def check_contents(checkpoint: Any) -> None:
    """Checks that a checkpoint has everything that is read of it, of the right types and within its ranges.

    Raises:
        InputError: The file is of another kind or format; or the message lists what is missing or wrong.
    """
    record = checkpoint.get("lesionseg") if isinstance(checkpoint, dict) else None
    found = record.get("format", "none") if isinstance(record, dict) else "none"
    if type(found) is not int or found != FORMAT:
        raise InputError(
            f"not a lesionseg checkpoint of format {FORMAT} (found: {reprlib.repr(found)}); give a file that this "
            "version's lesionseg.train has written"
        )
    try:
        _Contents.model_validate(checkpoint)
    except ValidationError as error:
        faults = [f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors()]
        raise_all("it is incomplete or damaged; copy it again, or give another:", faults)


def record(
    config: Mapping[str, Any], split: Mapping[str, Any], descriptors: Mapping[str, Descriptor]
) -> dict[str, Any]:
    """Collects the section `lesionseg` of a checkpoint, except for the metrics."""
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


def contents_of(
    record: Mapping[str, Any], state: Mapping[str, Tensor], *, epoch: int = 0, global_step: int = 0
) -> dict[str, Any]:
    """Returns the contents of a checkpoint that holds the state dict of a segmenter and no state of a training.

    The record is what `record` has collected, with the metrics and more. Epochs are counted from 0.
    """
    return {
        "lesionseg": record,
        "state_dict": {f"{SEGMENTER_PREFIX}{name}": tensor for name, tensor in state.items()},
        "epoch": epoch,
        "global_step": global_step,
        LIGHTNING_VERSION: library_versions()["lightning"],
    }


def segmenter_state(checkpoint: Mapping[str, Any]) -> dict[str, Any]:
    """Takes the segmenter's state dict out of a checkpoint."""
    state = checkpoint["state_dict"].items()
    return {name.removeprefix(SEGMENTER_PREFIX): value for name, value in state if name.startswith(SEGMENTER_PREFIX)}


def descriptors_of(checkpoint: Mapping[str, Any]) -> dict[str, Descriptor]:
    """Returns the descriptors of the training and validation images by id; older files have none."""
    found = checkpoint["lesionseg"].get("descriptors")
    return {} if found is None else dict(zip(found["ids"], found["values"].numpy(), strict=True))


def has_postprocessing(checkpoint: Mapping[str, Any]) -> bool:
    """Tells whether post-processing was fitted on the validation subset."""
    return checkpoint["lesionseg"].get("decision") is not None


def temperature_of(checkpoint: Mapping[str, Any]) -> float:
    """Returns the probabilities' temperature, see `lesionseg.postprocessing.temperature`; 1 if none was fitted."""
    fitted = checkpoint["lesionseg"].get("decision") or {}
    return float(fitted.get("temperature", NEUTRAL))


def model_facts(checkpoint: Mapping[str, Any], path: Path, postprocessing: Postprocessing) -> ModelFacts:
    """Collects what prediction needs to know of the checkpoint at `path` and the post-processing in use."""
    record = checkpoint["lesionseg"]
    return ModelFacts(
        name=record["config"]["name"],
        image_size=record["config"]["image_size"],
        postprocessing=postprocessing,
        sha256=file_sha256(path),
        version=record["code"]["version"],
        temperature=temperature_of(checkpoint),
        trained_on=frozenset(id_digest(id_) for id_ in record["split"]["parts"]["train"]),
        is_of_drawn_images=trains_on_drawn_images(record["config"].get("data")),
    )
