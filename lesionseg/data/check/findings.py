"""What the doctor looks for: how bad each kind of finding is, what it is called and what to do about it."""

from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from lesionseg.data.source import Subset

Severity = Literal["error", "warning", "note"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")
"""`error`: results would be wrong, or training stops; `warning`: a person should look; `note`: good to know."""


class Kind(NamedTuple):
    """A kind of finding."""

    severity: Severity
    title: str
    advice: str


@dataclass(frozen=True)
class Finding:
    """Something wrong or noteworthy.

    Attributes:
        name: Key in `KINDS`.
        ids: Images concerned; empty for the set as a whole.
        text: Description with numbers and files.
        part: Subset that it is about, as a name may be in several; None for all.
    """

    name: str
    ids: tuple[str, ...]
    text: str
    part: Subset | None = None

    def is_about(self, part: Subset) -> bool:
        """Tells whether `ids` mean the samples of a part."""
        return self.part in (None, part)

    @property
    def kind(self) -> Kind:
        """Severity, title and advice."""
        return KINDS[self.name]

    def to_plain(self) -> dict[str, Any]:
        """Returns plain values for JSON."""
        return {"kind": self.name, "severity": self.kind.severity, "ids": list(self.ids), "text": self.text}


DROP_OR_SPLIT = "data.leaks=drop leaves it out of training (but changes no manifest); or make a new split."
KINDS: dict[str, Kind] = {
    # Files that belong to no pair.
    "masks_named_otherwise": Kind(
        "error", "masks with other names than the settings say", "Give the setting that is named, or null to find out."
    ),
    "image_without_mask": Kind("error", "image without a mask", "Add the mask, or take the image out."),
    "mask_without_image": Kind("error", "mask without an image", "Add the image, or take the mask out."),
    "images_of_one_name": Kind("error", "several images of one name", "Keep one of them."),
    "masks_of_one_name": Kind("error", "several masks of one name", "Keep one of them."),
    "unused_picture": Kind(
        "warning", "picture that is not used", "Convert it, or put it in its place if it belongs here."
    ),
    # Images.
    "unreadable_image": Kind("error", "image that cannot be read", "Fetch it again, or take the pair out."),
    "truncated_image": Kind("error", "image that is cut short", "Fetch it again; the rest of the picture is missing."),
    "empty_image_file": Kind("error", "image file of no bytes", "Fetch it again."),
    "tiny_image": Kind("error", "image of under 32 pixels", "Use the original, not its preview."),
    "blank_image": Kind("error", "image of a single colour", "Fetch it again, or take the pair out."),
    "grey_image": Kind("warning", "photograph without colour", "Use the colour original where there is one."),
    "elongated_image": Kind("warning", "very long or tall image", "It is squashed to a square; crop it first."),
    "deep_image": Kind("note", "image of 16 bits a channel", "It is brought to 8 bits, 65535 as white."),
    "cmyk_image": Kind("note", "image in printing colours (CMYK)", "It is converted; colours may be off."),
    "colour_profile": Kind("note", "images in other colours than sRGB's (ICC profile)", "They are converted to sRGB."),
    "transparent_image": Kind("note", "image with transparency", "Transparency is dropped."),
    "turned_by_exif": Kind(
        "note", "image turned by its EXIF tag", "It is turned upright; its mask must be upright too."
    ),
    "misnamed_image": Kind("note", "image whose name claims another format", "It is read by its contents; rename it."),
    # Masks.
    "unreadable_mask": Kind("error", "mask that cannot be read", "Export it again, or take the pair out."),
    "truncated_mask": Kind("error", "mask that is cut short", "Export it again."),
    "empty_mask_file": Kind("error", "mask file of no bytes", "Export it again."),
    "mask_of_other_size": Kind("error", "mask of another size than its image", "Export it at the image's size."),
    "turned_mask": Kind("error", "mask lying on its side", "Turn it as the image is, by its EXIF tag too."),
    "jpeg_mask": Kind("error", "mask saved as JPEG", "JPEG smears outlines: export the mask again as PNG."),
    "grey_mask": Kind(
        "error", "mask of more than two levels", "Resize with nearest neighbour or threshold it yourself."
    ),
    "dark_mask": Kind("error", "mask whose lesion is too dark", "Write the lesion as 255 (or 1), the rest as 0."),
    "class_mask": Kind("error", "mask of class numbers", "Write the lesion as 255, and the border as 0 or 255."),
    "photograph_as_mask": Kind("error", "photograph in place of a mask", "Put the mask in its place."),
    "inverted_mask": Kind("error", "mask with lesion and skin exchanged", "Invert it."),
    "coloured_mask": Kind("warning", "mask in colours", "Its brightness is used; export black and white."),
    "empty_mask": Kind("warning", "mask without any lesion", "Check that there is none; an empty prediction scores 1."),
    "full_mask": Kind("warning", "mask that is lesion everywhere", "Check that the lesion is larger than the picture."),
    "speck_mask": Kind("warning", "mask of under 0.1 % lesion", "The cause is often a click beside the lesion."),
    "scattered_mask": Kind("warning", "mask of many pieces", "Look at it: a lesion is one region, or a few."),
    "repeated_mask": Kind("warning", "one mask for different images", "Masks may have been copied or shuffled."),
    # The set as a whole.
    "no_pairs": Kind("error", "no image with a mask", "Check that data.root is the right folder and is complete."),
    "pairs_do_not_fit": Kind(
        "error", "masks that do not fit their images", "They fit no better than exchanged ones; check the names."
    ),
    "id_in_two_parts": Kind(
        "error", "one name in two parts", "Take it out of all parts but one; rename it if the pictures are different."
    ),
    "copy_in_other_part": Kind("error", "one picture in two parts (copy)", DROP_OR_SPLIT),
    "near_copy_in_other_part": Kind("error", "one lesion in two parts (near duplicate)", DROP_OR_SPLIT),
    "group_in_two_parts": Kind("error", "one lesion or patient in two parts (metadata)", DROP_OR_SPLIT),
    "changed_file": Kind(
        "error", "image or mask that has changed since the split was made", "Put it back, or make a new split."
    ),
    "archive_image_in_two_parts": Kind("error", "one image of a public archive in two parts", DROP_OR_SPLIT),
    "archive_image_twice_in_part": Kind(
        "warning", "one image of a public archive twice in a part", "It counts twice; take one out."
    ),
    "image_without_group": Kind(
        "warning",
        "image that is missing in the table of lesions or patients",
        "Add its row: it counts as a lesion of its own, even if the same patient is in another part.",
    ),
    "copy_in_part": Kind("warning", "one picture twice in a part (copy)", "It counts twice; take one out."),
    "near_copy_in_part": Kind(
        "warning", "one lesion twice in a part (near duplicate)", "Splits by lesionseg keep the two together."
    ),
    "copy_in_other_source": Kind(
        "warning", "one picture in two sources", "Leave one out of training, or combine other sources."
    ),
    "other_truth": Kind("warning", "one picture with two different masks", "Keep the right one."),
    "lesion_size_shift": Kind(
        "warning",
        "parts whose lesion sizes differ",
        "Results will not carry over from one to the other.",
    ),
    "missing_official_pairs": Kind("error", "fewer pairs than were published", "Download again what is missing."),
    "unexpected_pairs": Kind("warning", "more pairs than were published", "Look for files of another set."),
    "small_part": Kind("warning", "a part of under 10 images", "Results on so few images say little."),
}
