"""What a checkpoint must hold for evaluating, predicting, exporting and resuming, and of which types."""

import reprlib
from typing import Annotated, Any, Self

import torch
from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError, model_validator
from torch import Tensor

from lesionseg.data.descriptor import ANGLES, RINGS
from lesionseg.decision.decision import Views
from lesionseg.decision.temperature import HIGHEST, LOWEST, NEUTRAL
from lesionseg.errors import InputError, raise_all

FORMAT = 1
"""Of the layout that `lesionseg.checkpoint` describes."""

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
ImageSize = Annotated[int, Field(ge=32, le=4096)]
Seed = Annotated[int, Field(ge=0, lt=2**63)]
Count = Annotated[int, Field(ge=0, lt=2**63)]
Temperature = Annotated[float, Field(ge=LOWEST, le=HIGHEST)]
# Lightning compares it with its own, to bring older files up to date; it knows no way from before 2.
LightningVersion = Annotated[str, Field(pattern=r"^2\.[0-9]{1,6}\.[0-9]{1,6}(\.?(a|b|rc|dev|post)[0-9]{1,12})?$")]


class _Stored(BaseModel):
    """Takes no type for another, as `1` for `True`; what else there is may stay."""

    model_config = ConfigDict(strict=True, extra="allow", arbitrary_types_allowed=True, hide_input_in_errors=True)


class Parts(_Stored):
    """Ids of the images of each part."""

    train: list[str]
    validation: list[str]
    test: list[str]


class Split(_Stored):
    """Which images were for what."""

    parts: Parts
    sha256: Sha256
    files: dict[str, str] = Field(default_factory=dict)


class Config(_Stored):
    """The run's configuration, as a YAML file could hold it; parts are checked where they are built."""

    __pydantic_extra__: dict[str, JsonValue]
    name: str
    seed: Seed
    image_size: ImageSize
    model: dict[str, JsonValue]
    segmenter: dict[str, JsonValue]
    data: dict[str, JsonValue]


class Code(_Stored):
    """Which lesionseg it was."""

    version: str


class DecisionSettings(_Stored):
    """In place of the segmenter's in the configuration."""

    threshold: Annotated[float, Field(gt=0, lt=1)]
    views: Views
    largest_component: bool
    fill_holes: bool


class FittedDecision(_Stored):
    """What was fitted on the validation part; what else is in it is for people to read."""

    __pydantic_extra__: dict[str, JsonValue]
    settings: DecisionSettings
    images: Count
    temperature: Temperature = NEUTRAL


class Descriptors(_Stored):
    """Descriptors of the images of training and validation."""

    ids: list[str]
    values: Tensor

    @model_validator(mode="after")
    def _fits(self) -> Self:
        wanted = (len(self.ids), RINGS, ANGLES)
        if self.values.dtype != torch.int8 or tuple(self.values.shape) != wanted:
            raise ValueError(f"they are {self.values.dtype} {tuple(self.values.shape)}; allowed: int8 {wanted}")
        return self


class Record(_Stored):
    """What lesionseg stores beside weights and training state."""

    config: Config
    split: Split
    code: Code
    libraries: dict[str, str | None]
    metrics: dict[str, float]
    decision: FittedDecision | None = None
    descriptors: Descriptors | None = None


class Contents(_Stored):
    """A Lightning checkpoint of lesionseg."""

    lesionseg: Record
    state_dict: dict[str, Tensor]
    epoch: Count
    global_step: Count
    lightning_version: LightningVersion = Field(alias="pytorch-lightning_version")


def check_contents(checkpoint: Any) -> None:
    """Checks that all is there that is read of a checkpoint, of the right types and within its ranges.

    Raises:
        InputError: It is of another kind or format; or lists what is missing or wrong.
    """
    record = checkpoint.get("lesionseg") if isinstance(checkpoint, dict) else None
    found = record.get("format", "none") if isinstance(record, dict) else "none"
    if type(found) is not int or found != FORMAT:
        raise InputError(
            f"not a lesionseg checkpoint of format {FORMAT} (found: {reprlib.repr(found)}); give a file that this "
            "version's lesionseg.train has written"
        )
    try:
        Contents.model_validate(checkpoint)
    except ValidationError as error:
        faults = [f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors()]
        raise_all("it is incomplete or damaged; copy it again, or give another:", faults)
