"""Your own images: photographs and their masks, in the folders and with the names that they have."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

from lesionseg.config.quoting import override
from lesionseg.data.arrangement import Arrangement, arrange
from lesionseg.data.folder_messages import (
    Survey,
    better_setting,
    found_text,
    nothing_text,
    passed_over_texts,
    with_explanations,
)
from lesionseg.data.layout import Place, find_places
from lesionseg.data.naming import Affix, AffixNaming, Naming, PatternNaming
from lesionseg.data.pairing import Pairing, pair_by_naming
from lesionseg.data.source import PARTS, Listing, Part, Source, existing_root
from lesionseg.data.table import with_groups
from lesionseg.errors import InputError


@dataclass(frozen=True, kw_only=True)
class Folder(Source):
    """Images and masks paired by name: any common format, masks of 0/1 or 0/255, of any sizes.

    Settings that are None are found out: which folders hold images (`images`, `imgs`, `photos`, `JPEGImages`, ...) and
    which masks (`masks`, `labels`, `gt`, `SegmentationClass`, ...), whether there is one flat folder of both, and how
    masks are named (`a_mask.png`, `mask_a.png`, ...). Folders `train`, `validation` (`val`, `valid`) and `test` are
    the official parts; where there are none, the pairs are cut. Licence and citation are your own data's.

    Attributes:
        root: The folder that holds them.
        images: Name of the folder of photographs, or None.
        masks: Name of the folder of masks, or None; the same as `images` for a flat folder of both.
        mask_suffix: What a mask's stem has behind its image's, for example `_segmentation`, or None.
        groups: A table below the root that says which patient or lesion each image shows, or None. Its columns are
            `group_id_column` (the image) and `group_column`.
        group_id_column: See `groups`.
        group_column: See `groups`.
        mask_prefix: What a mask's stem has before its image's, for example `mask_`, or None.
        mask_pattern: A mask's file name, with `{name}` for its image's stem and `*` for any letters, or None.
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
        """Lists the pairs, by part where the folders say so.

        Raises:
            InputError: There is nothing, or no image has a mask; the message says what was found and what to give.
        """
        root = existing_root(Path(self.root), self.HOW_TO_GET)
        survey = self._survey()
        hint = self._hint(survey)
        if any(not pairing.pairs for pairing in survey.pairings.values()):
            raise InputError(nothing_text(root, survey, hint, self.HOW_TO_GET))
        pairings = survey.pairings
        listing = Listing(
            {part: pairings[part].pairs if part in pairings else [] for part in PARTS},
            official=len(survey.pairings) > 1,
            faults=with_explanations(survey, root, hint),
            found=[found_text(root, survey)],
            passed_over=passed_over_texts(survey),
        )
        if self.groups is None:
            return listing
        return with_groups(listing, root / self.groups, id_column=self.group_id_column, group_column=self.group_column)

    def _survey(self) -> Survey:
        """Looks at all files."""
        places = find_places(Path(self.root), images=self.images, masks=self.masks)
        arranged: dict[Part, Arrangement] = {}
        pairings: dict[Part, Pairing] = {}
        for part, chosen in self._by_part([place for place in places if place.is_readable]).items():
            known = [naming for arrangement in arranged.values() for naming in arrangement.namings]
            found = arranged[part] = arrange(chosen, given=self._given_naming(), known=known)
            namings = found.namings or [self._given_naming() or AffixNaming()]
            pairings[part] = pair_by_naming(found.images, found.masks, namings)
        return Survey(places, arranged, pairings)

    def _hint(self, survey: Survey) -> str | None:
        """Says which setting would pair more, where finding out does."""
        kinds = {fault.kind for fault in survey.faults}
        if self._given_naming() is None or (survey.pairs and not {"image_without_mask", "mask_without_image"} <= kinds):
            return None
        other = replace(self, mask_suffix=None, mask_prefix=None, mask_pattern=None)._survey()
        return better_setting(other) if len(other.pairs) > len(survey.pairs) else None

    def _given_naming(self) -> Naming | None:
        """Returns how masks are named as far as the settings say, or None to find out."""
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

    def _by_part(self, places: Sequence[Place]) -> Mapping[Part, Sequence[Place]]:
        """Deals files out to the parts that their folders name; where none is named, all are training.

        Raises:
            InputError: There are only images to train on, or none, although folders name parts.
        """
        parts: dict[Part, list[Place]] = {part: [place for place in places if place.part == part] for part in PARTS}
        if not any(parts.values()):
            return {"train": places}
        root = Path(self.root)
        parts["train"] = parts["train"] or [place for place in places if place.part is None]
        if not parts["train"]:
            raise InputError(f"{root} has folders to validate or test on, but no train/. {self.HOW_TO_GET}")
        if not parts["validation"] and not parts["test"]:
            folders = {place.path.relative_to(root).parts[0] for place in parts["train"]}
            if len(folders) > 1:  # imagesTr and labelsTr: a set of which no other part is there
                return {"train": parts["train"]}
            (part,) = folders
            raise InputError(
                f"{root / part} has images, but there is no folder {root.absolute()}/validation (val, valid) or test "
                f"with any. Add it, or have these images cut into parts: {override('data.root', str(root / part))}"
            )
        return {part: parts[part] for part in PARTS if parts[part]}
