"""The metadata of an exported model: JSON text under the key `lesionseg`, alike in every format."""

import re
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from lesionseg.errors import InputError
from lesionseg.model.engine import ModelFacts
from lesionseg.postprocessing.postprocessing import Postprocessing, Tta
from lesionseg.postprocessing.temperature import HIGHEST, LOWEST, NEUTRAL

KEY = "lesionseg"
"""Name of the text as an ONNX metadata property, an extra file of a `.pt2`, or an OpenVINO `rt_info` entry."""
DIGESTS_KEY = f"{KEY}_trained_on"
"""Name of the joined digests of the training images, which stand apart so that people can read the rest."""
LONGEST_TEXT = 16 * 2**20
"""Characters; a million training images fit, whose digests took 16 each in older files."""
MOST_IMAGES = 1_000_000
EXPORT_AGAIN = "export the checkpoint again with python -m lesionseg.export"
ID_DIGEST = "[0-9a-f]{12}"
Precision = Literal["fp32", "fp16", "int8"]
Words = Annotated[str, StringConstraints(max_length=10_000)]
Digest = Annotated[str, StringConstraints(pattern="^[0-9a-f]{64}$")]
IdDigest = Annotated[str, StringConstraints(pattern=f"^{ID_DIGEST}$")]


class EmbeddedFacts(BaseModel):
    """Contents of the text; keys that a later lesionseg adds are ignored."""

    model_config = ConfigDict(strict=True, extra="ignore", allow_inf_nan=False)

    format: Literal[1]
    name: Words
    """Name of the run that trained the model."""
    classes: Annotated[list[Words], Field(min_length=1, max_length=1)]
    """Meanings of the mask's values from 1 on."""
    image_size: Annotated[int, Field(ge=32, le=4096)]
    threshold: Annotated[float, Field(gt=0, lt=1)]
    # Older files lack the next four.
    views: Tta = Postprocessing.views
    """Test-time augmentation that the file itself does."""
    largest_component: bool = Postprocessing.largest_component
    """Whether the mask's largest region alone is to be kept, which the file itself does not do, like `fill_holes`."""
    fill_holes: bool = Postprocessing.fill_holes
    temperature: Annotated[float, Field(ge=LOWEST, le=HIGHEST)] = NEUTRAL
    precision: Precision
    """Number format of the weights."""
    version: Words
    """Version of the lesionseg that trained the model."""
    git_commit: Words | None
    """Commit of that lesionseg, if it was a checkout."""
    exported_by: Words
    """Version of the lesionseg that exported it."""
    checkpoint_sha256: Digest
    split_sha256: Digest
    trained_on_images: Annotated[int, Field(ge=0, le=MOST_IMAGES)] | None = None
    """Number of training images; older files have their digests alone."""
    trained_on_sha256: Digest | None = None
    """SHA-256 of `digests`."""
    trained_on: Annotated[list[IdDigest], Field(max_length=MOST_IMAGES)] = []
    """Sorted `id_digest` of each training image; empty if the file has lost them."""
    is_of_drawn_images: bool = False
    """Whether all training images were drawn by lesionseg, so that the model has never seen a photograph."""
    licence: Words
    """Licence of the weights in their owner's words."""
    intended_use: Words
    input: Words
    outputs: Words

    def text(self) -> str:
        """Returns the text that is written under `KEY`."""
        return self.model_dump_json(exclude={"trained_on"})

    def digests(self) -> str:
        """Returns the text that is written under `DIGESTS_KEY`."""
        return "".join(self.trained_on)

    def model_facts(self, sha256: str) -> ModelFacts:
        """Returns the facts that prediction needs of a file with this SHA-256."""
        return ModelFacts(
            name=self.name,
            image_size=self.image_size,
            postprocessing=Postprocessing(
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


def parse_facts(text: str | None, path: Path, *, digests: str | None = None) -> EmbeddedFacts:
    """Parses the metadata of the exported file at `path`: its texts under `KEY` and `DIGESTS_KEY`, if there are any.

    Raises:
        InputError: There is no text, or it is not what an export writes; the message names what is wrong.
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
    is_list = len(digests) <= LONGEST_TEXT and re.fullmatch(f"({ID_DIGEST})*", digests)
    if not is_list or sha256(digests.encode()).hexdigest() != facts.trained_on_sha256:
        raise InputError(f"{path}: '{DIGESTS_KEY}' is not the list of its training images; {EXPORT_AGAIN}")
    return facts.model_copy(update={"trained_on": re.findall(ID_DIGEST, digests)})
