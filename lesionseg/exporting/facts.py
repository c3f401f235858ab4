"""The metadata of an exported model: JSON text under the key `lesionseg`, alike in every format."""

import re
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

import lesionseg
from lesionseg.data.synthetic import trains_on_drawn_images
from lesionseg.errors import InputError
from lesionseg.model.engine import ModelFacts, id_digest
from lesionseg.postprocessing.postprocessing import Postprocessing, Tta
from lesionseg.postprocessing.temperature import HIGHEST, LOWEST, NEUTRAL
from lesionseg.system.files import file_sha256

KEY = "lesionseg"
"""Name of the text as an ONNX metadata property, an extra file of a `.pt2`, or an OpenVINO `rt_info` entry."""
DIGESTS_KEY = f"{KEY}_trained_on"
"""Name of the joined digests of the training images, which stand apart so that people can read the rest."""
FORMAT: Final = 1
LONGEST_TEXT = 16 * 2**20
"""Characters; a million training images fit, whose digests took 16 each in older files."""
MOST_IMAGES = 1_000_000
EXPORT_AGAIN = "export the checkpoint again with python -m lesionseg.export"
INPUT_IN_WORDS = "image: (batch, height, width, 3) uint8, RGB 0..255, any batch, height and width"
OUTPUTS_IN_WORDS = (
    "probability: (batch, height, width) float32 of lesion, 0..1; "
    "mask: (batch, height, width) uint8, 1 where the probability is above the threshold, else 0 "
    "(lesionseg.predict writes 255 in place of 1); "
    "without largest_component and fill_holes, which lesionseg does to it where they are true"
)

Precision = Literal["fp32", "fp16", "int8"]
Words = Annotated[str, StringConstraints(max_length=10_000)]
Digest = Annotated[str, StringConstraints(pattern="^[0-9a-f]{64}$")]
DIGITS = 12
"""Length of an `id_digest`."""
DIGESTS = re.compile(rf"([0-9a-f]{{{DIGITS}}})*")
ShortDigest = Annotated[str, StringConstraints(pattern="^[0-9a-f]{12}$")]


class EmbeddedFacts(BaseModel):
    """Contents of the text; keys that a later lesionseg adds are ignored."""

    model_config = ConfigDict(strict=True, extra="ignore", allow_inf_nan=False)

    format: Literal[1]
    name: Words
    """Name of the run that trained it."""
    classes: Annotated[list[Words], Field(min_length=1, max_length=1)]
    """Meanings of the mask's values from 1 on."""
    image_size: Annotated[int, Field(ge=32, le=4096)]
    """Height and width in pixels that the network works at."""
    threshold: Annotated[float, Field(gt=0, lt=1)]
    """Probability above which a pixel is lesion."""
    views: Tta = Postprocessing.views
    """Test-time augmentation that the file computes; older files lack this and the next three."""
    largest_component: bool = Postprocessing.largest_component
    """Whether only the mask's largest region is to be kept, which the file itself does not do."""
    fill_holes: bool = Postprocessing.fill_holes
    """Whether the mask's holes are to be filled, which the file itself does not do."""
    temperature: Annotated[float, Field(ge=LOWEST, le=HIGHEST)] = NEUTRAL
    """Factor by which the logits are too large."""
    precision: Precision
    """Number format of the weights."""
    version: Words
    """Version of the lesionseg that trained it."""
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
    trained_on: Annotated[list[ShortDigest], Field(max_length=MOST_IMAGES)] = []
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


def collect_facts(
    checkpoint: Mapping[str, Any],
    path: Path,
    *,
    postprocessing: Postprocessing,
    precision: Precision,
    licence: str,
    intended_use: str,
) -> EmbeddedFacts:
    """Collects the metadata of an export.

    Args:
        checkpoint: Contents of the checkpoint, as `lesionseg.checkpoint.reading.read` returns them.
        path: File of the checkpoint.
        postprocessing: Post-processing of the segmenter.
        precision: Number format of the exported weights.
        licence: Licence of the weights in their owner's words.
        intended_use: Intended use in their owner's words.

    Raises:
        InputError: A number or text of the checkpoint is out of range.
    """
    record = checkpoint["lesionseg"]
    trained_on = sorted({id_digest(id_) for id_ in record["split"]["parts"]["train"]})
    try:
        return EmbeddedFacts(
            format=FORMAT,
            name=record["config"]["name"],
            classes=["lesion"],
            image_size=record["config"]["image_size"],
            **postprocessing.settings(),
            temperature=(record.get("decision") or {}).get("temperature", NEUTRAL),
            precision=precision,
            version=record["code"]["version"],
            git_commit=record["code"]["git_commit"],
            exported_by=lesionseg.__version__,
            checkpoint_sha256=file_sha256(path),
            split_sha256=record["split"]["sha256"],
            trained_on_images=len(trained_on),
            trained_on_sha256=sha256("".join(trained_on).encode()).hexdigest(),
            trained_on=trained_on,
            is_of_drawn_images=trains_on_drawn_images(record["config"].get("data")),
            licence=licence,
            intended_use=intended_use,
            input=INPUT_IN_WORDS,
            outputs=OUTPUTS_IN_WORDS,
        )
    except ValidationError as error:
        raise InputError(f"{path}: what it says of itself cannot be exported: {error}") from error


def parse_facts(text: str | None, path: Path, *, digests: str | None = None) -> EmbeddedFacts:
    """Parses the metadata of an exported file.

    Args:
        text: Text under `KEY`; None if there is none.
        path: File, for messages.
        digests: Text under `DIGESTS_KEY`; None if there is none, as in older files.

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
    is_list = len(digests) <= LONGEST_TEXT and DIGESTS.fullmatch(digests)
    if not is_list or sha256(digests.encode()).hexdigest() != facts.trained_on_sha256:
        raise InputError(f"{path}: '{DIGESTS_KEY}' is not the list of its training images; {EXPORT_AGAIN}")
    parts = [digests[start : start + DIGITS] for start in range(0, len(digests), DIGITS)]
    return facts.model_copy(update={"trained_on": parts})
