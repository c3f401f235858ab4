"""What `data=folder` says: what was found, what was not, and which settings would help."""

import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lesionseg.config.quoting import override
from lesionseg.data.arrangement import Arrangement
from lesionseg.data.file_types import readable_text, unsupported_text
from lesionseg.data.layout import Place
from lesionseg.data.naming import PLAIN, AffixNaming, Naming
from lesionseg.data.pairing import Pairing, PairingFault
from lesionseg.data.sample import FilePair
from lesionseg.data.source import Part

EXAMPLES = 3
"""Files or folders named in a message."""


@dataclass(frozen=True)
class Survey:
    """What a folder holds.

    Attributes:
        places: All pictures, those of types that cannot be read too.
        arranged: What is image and what mask, by part.
        pairings: What belongs together, by part.
    """

    places: Sequence[Place]
    arranged: Mapping[Part, Arrangement]
    pairings: Mapping[Part, Pairing]

    @property
    def pairs(self) -> list[FilePair]:
        """Those of all parts."""
        return [pair for pairing in self.pairings.values() for pair in pairing.pairs]

    @property
    def faults(self) -> list[PairingFault]:
        """Those of all parts."""
        return [fault for pairing in self.pairings.values() for fault in pairing.faults]

    @property
    def namings(self) -> list[Naming]:
        """Ways that masks are named in any part."""
        return list(dict.fromkeys(naming for found in self.arranged.values() for naming in found.namings))


def found_text(root: Path, survey: Survey) -> str:
    """Says in one line how many pairs there are, where, and how masks are named."""
    counts = [f"{part} {len(pairing.pairs)}" for part, pairing in survey.pairings.items()]
    parts = f" ({', '.join(counts)})" if len(counts) > 1 else ""
    images, masks = [pair.image_path for pair in survey.pairs], [pair.mask_path for pair in survey.pairs]
    names = " or ".join(map(str, survey.namings))
    return f"{len(images)} pairs in {root}{parts}: images {_in(root, images)}; masks {_in(root, masks)}, {names}"


def _in(root: Path, files: Sequence[Path]) -> str:
    """Names the folders and types of files: `in images (.jpg)`."""
    folders = [_below(Path(folder), root) for folder in dict.fromkeys(os.path.dirname(file) for file in files)]
    types = dict.fromkeys(os.path.splitext(file)[1].lower() for file in files)
    return f"in {_some(folders, 'folders')} ({_some(types, 'types')})"


def _below(path: Path, root: Path) -> str:
    return str(path.relative_to(root)) if path.is_relative_to(root) else str(path)


def _some(names: Collection[str], what: str) -> str:
    """Lists a few names, and how many there are."""
    shown = ", ".join(list(names)[:EXAMPLES])
    return shown if len(names) <= EXAMPLES else f"{shown}, ... ({len(names)} {what})"


def nothing_text(root: Path, survey: Survey, hint: str | None, how_to_get: str) -> str:
    """Says why there is no pair, and what to give."""
    unsupported = [unsupported_text(place.path) for place in survey.places if not place.is_readable]
    more = f"\n{len(unsupported)} files cannot be read: {_some(unsupported, 'files')}" if unsupported else ""
    if not any(place.is_readable for place in survey.places):
        return f"{root.absolute()} has no image; looked for {readable_text()}. {how_to_get}{more}"
    part = next(part for part, pairing in survey.pairings.items() if not pairing.pairs)
    arranged = survey.arranged[part]
    images, masks = (
        _files("images" if arranged.masks else "pictures", arranged.images, root),
        _files("masks", arranged.masks, root),
    )
    found = f"Found {images} and {masks}" if arranged.masks else f"Found {images}, none known as a mask"
    where = root.absolute() if len(survey.pairings) == 1 else f"{root.absolute()}, {part}"
    remedy = (
        f"Give {hint}."
        if hint
        else "Say what a mask is called, with data.mask_suffix=_mask, data.mask_prefix=mask_ or "
        "data.mask_pattern='{name}_mask.*' (its image's name in the place of {name}), and where the files are, with "
        "data.images=FOLDER and data.masks=FOLDER, which may be one."
    )
    setting = hint.partition(" (")[0] if hint else "data.mask_suffix=..."
    command = f"python -m lesionseg.check_data data=folder {override('data.root', str(root))} {setting}"
    return f"{where}: no image has a mask. {found}.\n{remedy}{more}\nLook at the pairs with: {command}"


def _files(what: str, files: Sequence[Place], root: Path) -> str:
    """Counts files and names some, of as many folders as possible."""
    one_of_each = {place.path.parent: place for place in reversed(files)}.values()
    examples = dict.fromkeys([*reversed(one_of_each), *files])
    names = [_below(place.path, root) for place in examples]
    return f"{len(names)} {what}" + (f" ({_some(names, 'files')})" if names else "")


def passed_over_texts(survey: Survey) -> list[str]:
    """Words which pictures are not used, and why."""
    arranged = survey.arranged.values()
    used = {place.path for arrangement in arranged for place in (*arrangement.images, *arrangement.masks)}
    return [
        unsupported_text(place.path)
        if not place.is_readable
        else f"{place.path}: is neither among the images nor among the masks"
        for place in survey.places
        if place.path not in used
    ]


def with_explanations(survey: Survey, root: Path, hint: str | None) -> list[PairingFault]:
    """Lists the files without a partner with the reason and the remedy, where they can be seen."""
    unsupported = {place.stem: place.path for place in survey.places if not place.is_readable}
    faults = [
        fault._replace(text=f"{fault.text}; {unsupported_text(unsupported[fault.id])}")
        if fault.kind == "mask_without_image" and fault.id in unsupported
        else fault
        for fault in survey.faults
    ]
    return (
        [PairingFault("masks_named_otherwise", "", root, f"{root}: masks are named otherwise; give {hint}"), *faults]
        if hint
        else faults
    )


def better_setting(survey: Survey) -> str:
    """Words the settings that say what was found out, and how many pairs they make."""
    naming = survey.namings[0]
    single = len(survey.namings) == 1 and isinstance(naming, AffixNaming) and naming.image == PLAIN
    setting = _setting(naming) if single and isinstance(naming, AffixNaming) else "data.mask_suffix=null"
    how = " or ".join(map(str, survey.namings))
    return f"{setting} (it pairs {len(survey.pairs)} images with their masks: {how})"


def _setting(naming: AffixNaming) -> str:
    prefix = [override("data.mask_prefix", naming.mask.prefix)] if naming.mask.prefix else []
    return " ".join([*prefix, override("data.mask_suffix", naming.mask.suffix)])
