"""Kinds of findings of the data doctor: severity, title and advice of each."""

from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from lesionseg.data.source import Subset

Severity = Literal["error", "warning", "note"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")
"""`error`: results would be wrong, or training stops; `warning`: a person should look; `note`: good to know."""


class Kind(NamedTuple):
    """A kind of finding, its name for people, and what to do about it."""

    severity: Severity
    title: str
    advice: str


@dataclass(frozen=True)
class Finding:
    """Something wrong or noteworthy."""

    name: str  # key in `KINDS`
    ids: tuple[str, ...]  # images concerned; empty for the set as a whole
    text: str  # description with numbers and files
    subset: Subset | None = None  # subset that it is about, as an id may be in several; None for all

    def is_about(self, subset: Subset) -> bool:
        """Tells whether `ids` mean the samples of a subset."""
        return self.subset in (None, subset)

    @property
    def kind(self) -> Kind:
        """Severity, title and advice."""
        return KINDS[self.name]

    def to_plain(self) -> dict[str, Any]:
        """Returns plain values for JSON."""
        return {"kind": self.name, "severity": self.kind.severity, "ids": list(self.ids), "text": self.text}


DROP_OR_SPLIT = "data.leaks=drop leaves it out of training (but changes no manifest); or make a new split."
ERRORS = {
    # Files that belong to no pair.
    "masks_named_otherwise": (
        "masks with other names than the settings say",
        "Give the setting that is named, or null to find out.",
    ),
    "image_without_mask": ("image without a mask", "Add the mask, or take the image out."),
    "mask_without_image": ("mask without an image", "Add the image, or take the mask out."),
    "images_of_one_name": ("several images of one name", "Keep one of them."),
    "masks_of_one_name": ("several masks of one name", "Keep one of them."),
    # Images.
    "unreadable_image": ("image that cannot be read", "Fetch it again, or take the pair out."),
    "truncated_image": ("image that is cut short", "Fetch it again; the rest of the picture is missing."),
    "empty_image_file": ("image file of no bytes", "Fetch it again."),
    "tiny_image": ("image of under 32 pixels", "Use the original, not its preview."),
    "blank_image": ("image of a single colour", "Fetch it again, or take the pair out."),
    # Masks.
    "unreadable_mask": ("mask that cannot be read", "Export it again, or take the pair out."),
    "truncated_mask": ("mask that is cut short", "Export it again."),
    "empty_mask_file": ("mask file of no bytes", "Export it again."),
    "mask_of_other_size": ("mask of another size than its image", "Export it at the image's size."),
    "turned_mask": ("mask lying on its side", "Turn it as the image is, by its EXIF tag too."),
    "jpeg_mask": ("mask saved as JPEG", "JPEG smears outlines: export the mask again as PNG."),
    "grey_mask": ("mask of more than two levels", "Resize with nearest neighbour or threshold it yourself."),
    "dark_mask": ("mask whose lesion is too dark", "Write the lesion as 255 (or 1), the rest as 0."),
    "class_mask": ("mask of class numbers", "Write the lesion as 255, and the border as 0 or 255."),
    "photograph_as_mask": ("photograph in place of a mask", "Put the mask in its place."),
    "inverted_mask": ("mask with lesion and skin exchanged", "Invert it."),
    # The set as a whole.
    "no_pairs": ("no image with a mask", "Check that data.root is the right folder and is complete."),
    "pairs_do_not_fit": (
        "masks that do not fit their images",
        "They fit no better than exchanged ones; check the names.",
    ),
    "id_in_two_parts": (
        "one name in two subsets",
        "Take it out of all subsets but one; rename it if the pictures are different.",
    ),
    "copy_in_other_part": ("one picture in two subsets (copy)", DROP_OR_SPLIT),
    "near_copy_in_other_part": ("one lesion in two subsets (near duplicate)", DROP_OR_SPLIT),
    "group_in_two_parts": ("one lesion or patient in two subsets (metadata)", DROP_OR_SPLIT),
    "changed_file": ("image or mask that has changed since the split was made", "Put it back, or make a new split."),
    "archive_image_in_two_parts": ("one image of a public archive in two subsets", DROP_OR_SPLIT),
    "missing_official_pairs": ("fewer pairs than were published", "Download again what is missing."),
}
WARNINGS = {
    # Files that belong to no pair.
    "unused_picture": ("picture that is not used", "Convert it, or put it in its place if it belongs here."),
    # Images.
    "grey_image": ("photograph without colour", "Use the colour original where there is one."),
    "elongated_image": ("very long or tall image", "It is squashed to a square; crop it first."),
    # Masks.
    "coloured_mask": ("mask in colours", "Its brightness is used; export black and white."),
    "empty_mask": ("mask without any lesion", "Check that there is none; an empty prediction scores 1."),
    "full_mask": ("mask that is lesion everywhere", "Check that the lesion is larger than the picture."),
    "speck_mask": ("mask of under 0.1 % lesion", "The cause is often a click beside the lesion."),
    "scattered_mask": ("mask of many pieces", "Look at it: a lesion is one region, or a few."),
    "repeated_mask": ("one mask for different images", "Masks may have been copied or shuffled."),
    # The set as a whole.
    "archive_image_twice_in_part": (
        "one image of a public archive twice in a subset",
        "It counts twice; take one out.",
    ),
    "image_without_group": (
        "image that is missing in the table of lesions or patients",
        "Add its row: it counts as a lesion of its own, even if the same patient is in another subset.",
    ),
    "copy_in_part": ("one picture twice in a subset (copy)", "It counts twice; take one out."),
    "near_copy_in_part": (
        "one lesion twice in a subset (near duplicate)",
        "Splits by lesionseg keep the two together.",
    ),
    "copy_in_other_source": ("one picture in two sources", "Leave one out of training, or combine other sources."),
    "other_truth": ("one picture with two different masks", "Keep the right one."),
    "lesion_size_shift": ("subsets whose lesion sizes differ", "Results will not carry over from one to the other."),
    "unexpected_pairs": ("more pairs than were published", "Look for files of another set."),
    "small_part": ("a subset of under 10 images", "Results on so few images say little."),
}
NOTES = {
    "deep_image": ("image of 16 bits a channel", "It is brought to 8 bits, 65535 as white."),
    "cmyk_image": ("image in printing colours (CMYK)", "It is converted; colours may be off."),
    "colour_profile": ("images in other colours than sRGB's (ICC profile)", "They are converted to sRGB."),
    "transparent_image": ("image with transparency", "Transparency is dropped."),
    "turned_by_exif": ("image turned by its EXIF tag", "It is turned upright; its mask must be upright too."),
    "misnamed_image": ("image whose name claims another format", "It is read by its contents; rename it."),
}
GROUPS: tuple[tuple[Severity, dict[str, tuple[str, str]]], ...]
GROUPS = (("error", ERRORS), ("warning", WARNINGS), ("note", NOTES))
KINDS = {name: Kind(severity, *texts) for severity, kinds in GROUPS for name, texts in kinds.items()}
"""Every kind of finding by its name, the worst first."""
