"""What an exported model carries of itself: JSON text under the key `lesionseg`, alike in every format."""

import re
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from lesionseg.decision.decision import Decision, Views
from lesionseg.decision.temperature import HIGHEST, LOWEST, NEUTRAL
from lesionseg.errors import InputError
from lesionseg.prediction.engine import ModelFacts

KEY = "lesionseg"
"""What the text is called: an ONNX metadata property, an extra file of a `.pt2`, an OpenVINO `rt_info` entry."""
DIGESTS_KEY = f"{KEY}_trained_on"
"""Likewise: the digests of the training images one behind the other, apart so that people can read the rest."""
FORMAT: Final = 1
LONGEST_TEXT = 16 * 2**20
"""Bytes. A digest took 16 of them in older files, so that a million training images fit."""
MOST_IMAGES = 1_000_000
EXPORT_AGAIN = "export the checkpoint again with python -m lesionseg.export"

Words = Annotated[str, StringConstraints(max_length=10_000)]
Digest = Annotated[str, StringConstraints(pattern="^[0-9a-f]{64}$")]
DIGITS = 12
"""Length of an `id_digest`."""
DIGESTS = re.compile(rf"([0-9a-f]{{{DIGITS}}})*")
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
    temperature: Annotated[float, Field(ge=LOWEST, le=HIGHEST)] = NEUTRAL
    """By which the probabilities are too sure; files from before it was fitted say nothing of it."""
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
    trained_on_images: Annotated[int, Field(ge=0, le=MOST_IMAGES)] | None = None
    """Number of training images. Older files have their digests alone, in the text itself."""
    trained_on_sha256: Digest | None = None
    """Of `digests`."""
    trained_on: Annotated[list[ShortDigest], Field(max_length=MOST_IMAGES)] = []
    """`id_digest` of each training image, sorted; nothing where the file has lost them."""
    is_of_drawn_images: bool = False
    """Whether all of these were drawn by lesionseg, so that the model has never seen a photograph."""
    licence: Words
    """Of the weights, as their owner gave it."""
    intended_use: Words
    input: Words
    """What the file takes, in words."""
    outputs: Words
    """What it gives, in words."""

    def text(self) -> str:
        """Returns what is written under `KEY`."""
        return self.model_dump_json(exclude={"trained_on"})

    def digests(self) -> str:
        """Returns what is written under `DIGESTS_KEY`."""
        return "".join(self.trained_on)

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
            temperature=self.temperature,
            trained_on=frozenset(self.trained_on),
            is_of_drawn_images=self.is_of_drawn_images,
        )


def embedded_facts(text: str | None, path: Path, *, digests: str | None = None) -> EmbeddedFacts:
    """Reads what a file carries.

    Args:
        text: Under `KEY`; None where it carries none.
        path: Of the file, for messages.
        digests: Under `DIGESTS_KEY`; None where it carries none, as older files do.

    Raises:
        InputError: There is none, or it is not what an export writes; names what is wrong.
    """
    if text is None:
        raise InputError(f"{path}: carries no '{KEY}' metadata, so lesionseg did not export it; {EXPORT_AGAIN}")
    if len(text) > LONGEST_TEXT:
        raise InputError(f"{path}: its metadata have {len(text)} characters; allowed: {LONGEST_TEXT}; {EXPORT_AGAIN}")
    try:
        facts = EmbeddedFacts.model_validate_json(text)
    except ValidationError as error:
        faults = "; ".join(
            f"{'.'.join(map(str, fault['loc'])) or 'the text'}: {fault['msg']}"
            for fault in error.errors(include_url=False, include_input=False, include_context=False)[:3]
        )
        raise InputError(f"{path}: its metadata are not those of an export ({faults}); {EXPORT_AGAIN}") from error
    if digests is None or facts.trained_on_sha256 is None:
        return facts
    is_list = len(digests) <= LONGEST_TEXT and DIGESTS.fullmatch(digests)
    if not is_list or sha256(digests.encode()).hexdigest() != facts.trained_on_sha256:
        raise InputError(f"{path}: '{DIGESTS_KEY}' is not the list of its training images; {EXPORT_AGAIN}")
    parts = [digests[start : start + DIGITS] for start in range(0, len(digests), DIGITS)]
    return facts.model_copy(update={"trained_on": parts})
