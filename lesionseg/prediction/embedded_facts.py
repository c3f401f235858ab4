"""What an exported model carries of itself: JSON text under the key `lesionseg`, alike in every format."""

from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from lesionseg.decision.decision import Decision, Views
from lesionseg.errors import InputError
from lesionseg.prediction.engine import ModelFacts

KEY = "lesionseg"
"""What the text is called: an ONNX metadata property, an extra file of a `.pt2`, an OpenVINO `rt_info` entry."""
FORMAT: Final = 1
LONGEST_TEXT = 16 * 2**20
"""Bytes. A digest takes 16 of them, so that a million training images fit."""
EXPORT_AGAIN = "export the checkpoint again with python -m lesionseg.export"

Words = Annotated[str, StringConstraints(max_length=10_000)]
Digest = Annotated[str, StringConstraints(pattern="^[0-9a-f]{64}$")]
ShortDigest = Annotated[str, StringConstraints(pattern="^[0-9a-f]{12}$")]


class EmbeddedFacts(BaseModel):
    """The text's contents; what a later lesionseg adds is ignored."""

    model_config = ConfigDict(strict=True, extra="ignore", allow_inf_nan=False)

    format: Literal[1]
    """`FORMAT`: the number of this layout."""
    name: Words
    """Of the run that trained it."""
    classes: Annotated[list[Words], Field(min_length=1, max_length=1)]
    """What the mask's values from 1 on mean."""
    image_size: Annotated[int, Field(ge=32, le=4096)]
    """Height and width in pixels that the network works at."""
    threshold: Annotated[float, Field(gt=0, lt=1)]
    """A pixel is lesion where its probability is above this."""
    views: Views = Decision.views
    """The file's probability is the mean over these. Files from before there were any do without, as below."""
    largest_component: bool = Decision.largest_component
    """Whether the mask is to keep its largest region alone, which the file itself does not do."""
    fill_holes: bool = Decision.fill_holes
    """Whether its holes are to be filled, likewise."""
    precision: Literal["fp32", "fp16", "int8"]
    """Of the weights."""
    version: Words
    """Of the lesionseg that trained it."""
    git_commit: Words | None
    """Of that lesionseg, where it was a checkout."""
    exported_by: Words
    """Version of the lesionseg that exported it."""
    checkpoint_sha256: Digest
    """Of the checkpoint's bytes."""
    split_sha256: Digest
    """Of the division into parts that it was trained with."""
    trained_on: Annotated[list[ShortDigest], Field(max_length=1_000_000)]
    """`id_digest` of each training image, sorted."""
    licence: Words
    """Of the weights, as their owner gave it."""
    intended_use: Words
    input: Words
    """What the file takes, in words."""
    outputs: Words
    """What it gives, in words."""

    def model_facts(self, sha256: str) -> ModelFacts:
        """Returns what prediction needs of this, for a file with that digest."""
        return ModelFacts(
            name=self.name,
            image_size=self.image_size,
            decision=Decision(
                threshold=self.threshold,
                views=self.views,
                largest_component=self.largest_component,
                fill_holes=self.fill_holes,
            ),
            sha256=sha256,
            version=self.version,
            trained_on=frozenset(self.trained_on),
        )


def embedded_facts(text: str | None, path: Path) -> EmbeddedFacts:
    """Reads the text that a file carries; None where it carries none.

    Raises:
        InputError: There is none, or it is not what an export writes; names what is wrong.
    """
    if text is None:
        raise InputError(f"{path}: carries no '{KEY}' metadata, so lesionseg did not export it; {EXPORT_AGAIN}")
    if len(text) > LONGEST_TEXT:
        raise InputError(f"{path}: its metadata have {len(text)} characters; allowed: {LONGEST_TEXT}; {EXPORT_AGAIN}")
    try:
        return EmbeddedFacts.model_validate_json(text)
    except ValidationError as error:
        faults = "; ".join(
            f"{'.'.join(map(str, fault['loc'])) or 'the text'}: {fault['msg']}"
            for fault in error.errors(include_url=False, include_input=False, include_context=False)[:3]
        )
        raise InputError(f"{path}: its metadata are not those of an export ({faults}); {EXPORT_AGAIN}") from error
