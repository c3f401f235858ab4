"""Your own images: photographs and their masks, in the folders and with the names that they have."""

import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

from lesionseg.config.command_line import override
from lesionseg.data.layout import Picture, find_pictures
from lesionseg.data.names import PLAIN, Affix, readable_text, unsupported_text
from lesionseg.data.naming import AffixNaming, Naming, PatternNaming
from lesionseg.data.pairing import Pairing, pair_pictures
from lesionseg.data.source import MOST_NAMED, SUBSETS, FilePair, Listing, PairingFault, Source, Subset, existing_root
from lesionseg.data.table import with_groups
from lesionseg.errors import InputError

NO_PARTNER = {"image_without_mask", "mask_without_image"}


@dataclass(frozen=True, kw_only=True)
class Folder(Source):
    """Images and masks paired by name: any common format, masks of 0/1 or 0/255, of any sizes.

    Settings that are None are found out: which folders hold images (`images`, `imgs`, `photos`, `JPEGImages`, ...) and
    which masks (`masks`, `labels`, `gt`, `SegmentationClass`, ...), whether there is one flat folder of both, and how
    masks are named (`a_mask.png`, `mask_a.png`, ...). Folders `train`, `validation` (`val`, `valid`) and `test` are
    the official subsets; without them, the pairs are cut. Licence and citation are your own data's.

    Attributes:
        root: Folder of all images and masks.
        images: Name of the folder of photographs, or None.
        masks: Name of the folder of masks, or None; the same as `images` for a flat folder of both.
        mask_suffix: Text after the image's stem in the mask's, for example `_segmentation`, or None.
        groups: Table below the root of the patient or lesion that each image shows, or None.
        group_id_column: Column of the image in that table.
        group_column: Column of the patient or lesion.
        mask_prefix: Text before the image's stem in the mask's, for example `mask_`, or None.
        mask_pattern: File name of a mask, with `{name}` for its image's stem and `*` for any text, or None.
    """

    HOW_TO_GET: ClassVar = (
        "Give a folder with the two folders images/ and masks/ in it, with images and masks side by side, or with "
        "train/, validation/ and optionally test/ that hold them: data.root=..."
    )

    root: Path
    images: str | None
    masks: str | None
    mask_suffix: str | None
    groups: str | None
    group_id_column: str
    group_column: str
    mask_prefix: str | None = None  # older checkpoints lack it
    mask_pattern: str | None = None  # older checkpoints lack it

    def __post_init__(self) -> None:
        """Checks the settings; touches no file."""
        super().__post_init__()
        self._given_naming()

    def require(self) -> None:
        """Checks that the root holds images with masks."""
        self.listing()

    def listing(self) -> Listing:
        """Lists the pairs, by subset if the folders name subsets.

        Raises:
            InputError: There is no file, or no image has a mask; the message says what was found and what to give.
        """
        root = existing_root(Path(self.root), self.HOW_TO_GET)
        survey = self._survey()
        hint = self._hint(survey)
        pairings = survey.pairings
        if any(not pairing.pairs for pairing in pairings.values()):
            raise InputError(_nothing_text(root, survey, hint, self.HOW_TO_GET))
        listing = Listing(
            {subset: pairings[subset].pairs if subset in pairings else [] for subset in SUBSETS},
            official=len(pairings) > 1,
            faults=_explained_faults(root, survey, hint),
            found=[_found_text(root, survey)],
            passed_over=_unused_texts(survey),
        )
        if self.groups is None:
            return listing
        return with_groups(listing, root / self.groups, id_column=self.group_id_column, group_column=self.group_column)

    def _survey(self) -> "Survey":
        pictures = find_pictures(Path(self.root), images=self.images, masks=self.masks)
        given, known = self._given_naming(), list[Naming]()
        pairings: dict[Subset, Pairing] = {}
        for subset, members in self._by_subset([picture for picture in pictures if picture.is_readable]).items():
            pairings[subset] = pair_pictures(members, given=given, known=known)
            known += pairings[subset].namings
        return Survey(pictures, pairings)

    def _hint(self, survey: "Survey") -> str | None:
        """Returns the settings that would make more pairs than the given ones, if there are any."""
        kinds = {fault.kind for fault in survey.faults}
        if self._given_naming() is None or (survey.pairs and not kinds >= NO_PARTNER):
            return None
        other = replace(self, mask_suffix=None, mask_prefix=None, mask_pattern=None)._survey()
        return _better_setting(other) if len(other.pairs) > len(survey.pairs) else None

    def _given_naming(self) -> Naming | None:
        """Returns the naming of the settings, or None if it is to be found out."""
        if self.mask_pattern is not None:
            if self.mask_suffix is not None or self.mask_prefix is not None:
                raise InputError(
                    f"data.mask_pattern is {self.mask_pattern}, which is all of a mask's name; leave data.mask_prefix "
                    "and data.mask_suffix out"
                )
            return PatternNaming(self.mask_pattern)
        if self.mask_suffix is None and self.mask_prefix is None:
            return None
        return AffixNaming(Affix(self.mask_prefix or "", self.mask_suffix or ""))

    def _by_subset(self, pictures: Sequence[Picture]) -> Mapping[Subset, Sequence[Picture]]:
        """Groups pictures by the subset that their folders name; without any, all are training.

        Raises:
            InputError: Folders name subsets, but training or all other subsets are missing.
        """
        members: dict[Subset, list[Picture]] = {s: [p for p in pictures if p.subset == s] for s in SUBSETS}
        if not any(members.values()):
            return {"train": pictures}
        root = Path(self.root)
        members["train"] = members["train"] or [picture for picture in pictures if picture.subset is None]
        if not members["train"]:
            raise InputError(f"{root} has folders to validate or test on, but no train/. {self.HOW_TO_GET}")
        if not members["validation"] and not members["test"]:
            folders = {picture.path.relative_to(root).parts[0] for picture in members["train"]}
            if len(folders) > 1:  # imagesTr and labelsTr without the other subsets
                return {"train": members["train"]}
            (folder,) = folders
            raise InputError(
                f"{root / folder} has images, but there is no folder {root.absolute()}/validation (val, valid) or test "
                f"with any. Add it, or have these images split: {override('data.root', str(root / folder))}"
            )
        return {subset: members[subset] for subset in SUBSETS if members[subset]}


@dataclass(frozen=True)
class Survey:
    """Contents of a folder: all pictures, including those that cannot be read, and the pairs of each subset."""

    pictures: Sequence[Picture]
    pairings: Mapping[Subset, Pairing]

    @property
    def pairs(self) -> list[FilePair]:
        """Pairs of all subsets."""
        return [pair for pairing in self.pairings.values() for pair in pairing.pairs]

    @property
    def faults(self) -> list[PairingFault]:
        """Faults of all subsets."""
        return [fault for pairing in self.pairings.values() for fault in pairing.faults]

    @property
    def namings(self) -> list[Naming]:
        """Distinct namings of all subsets."""
        return list(dict.fromkeys(naming for pairing in self.pairings.values() for naming in pairing.namings))

    @property
    def unsupported(self) -> list[Path]:
        """Pictures that cannot be read."""
        return [picture.path for picture in self.pictures if not picture.is_readable]


def _found_text(root: Path, survey: Survey) -> str:
    """Says in one line how many pairs there are, where, and how masks are named."""
    counts = [f"{subset} {len(pairing.pairs)}" for subset, pairing in survey.pairings.items()]
    subsets = f" ({', '.join(counts)})" if len(counts) > 1 else ""
    images = _places_text(root, [pair.image_path for pair in survey.pairs])
    masks = _places_text(root, [pair.mask_path for pair in survey.pairs])
    return f"{len(survey.pairs)} pairs in {root}{subsets}: images {images}; masks {masks}, {_either(survey.namings)}"


def _places_text(root: Path, files: Iterable[Path]) -> str:
    """Names the folders and types of files: `in images (.jpg)`."""
    folders, types = zip(*((os.path.dirname(file), os.path.splitext(file)[1].lower()) for file in files), strict=True)
    below = [_below(Path(folder), root) for folder in dict.fromkeys(folders)]
    return f"in {_some(below, 'folders')} ({_some(dict.fromkeys(types), 'types')})"


def _below(path: Path, root: Path) -> str:
    return str(path.relative_to(root)) if path.is_relative_to(root) else str(path)


def _some(names: Collection[str], what: str) -> str:
    """Lists a few names, and how many there are."""
    shown = ", ".join(list(names)[:MOST_NAMED])
    return shown if len(names) <= MOST_NAMED else f"{shown}, ... ({len(names)} {what})"


def _either(namings: Iterable[Naming]) -> str:
    return " or ".join(map(str, namings))


def _nothing_text(root: Path, survey: Survey, hint: str | None, how_to_get: str) -> str:
    """Says why there is no pair, and what to give."""
    unsupported = list(map(unsupported_text, survey.unsupported))
    more = f"\n{len(unsupported)} files cannot be read: {_some(unsupported, 'files')}" if unsupported else ""
    if len(unsupported) == len(survey.pictures):
        return f"{root.absolute()} has no image; looked for {readable_text()}. {how_to_get}{more}"
    subset, pairing = next(item for item in survey.pairings.items() if not item[1].pairs)
    if pairing.masks:
        images, masks = _files_text("images", pairing.images, root), _files_text("masks", pairing.masks, root)
        found = f"Found {images} and {masks}"
    else:
        found = f"Found {_files_text('pictures', pairing.images, root)}, none known as a mask"
    where = root.absolute() if len(survey.pairings) == 1 else f"{root.absolute()}, {subset}"
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


def _files_text(what: str, pictures: Sequence[Picture], root: Path) -> str:
    """Counts files and names some, from as many folders as possible."""
    one_of_each = {picture.path.parent: picture for picture in reversed(pictures)}.values()
    names = [_below(picture.path, root) for picture in dict.fromkeys([*reversed(one_of_each), *pictures])]
    return f"{len(names)} {what}" + (f" ({_some(names, 'files')})" if names else "")


def _unused_texts(survey: Survey) -> list[str]:
    """Says which pictures are not used, and why."""
    used = {picture.path for found in survey.pairings.values() for picture in (*found.images, *found.masks)}
    return [
        f"{picture.path}: is neither among the images nor among the masks"
        if picture.is_readable
        else unsupported_text(picture.path)
        for picture in survey.pictures
        if picture.path not in used
    ]


def _explained_faults(root: Path, survey: Survey, hint: str | None) -> list[PairingFault]:
    """Adds reasons and remedies to the faults."""
    unsupported = {picture.stem: picture.path for picture in survey.pictures if not picture.is_readable}
    faults = [
        fault._replace(text=f"{fault.text}; {unsupported_text(unsupported[fault.id])}")
        if fault.kind == "mask_without_image" and fault.id in unsupported
        else fault
        for fault in survey.faults
    ]
    if hint is None:
        return faults
    text = f"{root}: masks are named otherwise; give {hint}"
    return [PairingFault("masks_named_otherwise", "", root, text), *faults]


def _better_setting(survey: Survey) -> str:
    """Returns the settings for what was found out, with the number of pairs."""
    naming, setting = survey.namings[0], "data.mask_suffix=null"
    if len(survey.namings) == 1 and isinstance(naming, AffixNaming) and naming.image == PLAIN:
        prefix = f"{override('data.mask_prefix', naming.mask.prefix)} " if naming.mask.prefix else ""
        setting = prefix + override("data.mask_suffix", naming.mask.suffix)
    return f"{setting} (it pairs {len(survey.pairs)} images with their masks: {_either(survey.namings)})"
