"""Names of files: their types, their words, the affixes of masks, and the names that public archives give."""

import re
import unicodedata
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePath

from PIL import features

READABLE_SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".mpo"}
    | {".png", ".apng"}
    | {".tif", ".tiff"}
    | {".bmp", ".dib"}
    | {".webp", ".gif"}
    | {".jp2", ".j2k", ".j2c", ".jpc", ".jpf", ".jpx"}
    | {".pbm", ".pgm", ".ppm", ".pnm"}
    | ({".avif"} if "avif" in features.get_supported_modules() else set())  # Pillow may be built without it
)
"""Suffixes in lower case. Of a file with several pictures (GIF, TIFF, APNG, MPO) the first is read."""

FORMATS = (
    *("JPEG", "PNG", "TIFF", "BMP", "DIB", "WEBP", "GIF", "JPEG2000", "PPM"),
    *(("AVIF",) if ".avif" in READABLE_SUFFIXES else ()),
)
"""Formats that Pillow may open, whatever the name. Its rarer parsers are not meant for files of strangers, and one
(EPS) starts another program."""

WHAT_TO_DO = {
    "convert it to JPEG or PNG, for example with `magick a.heic a.jpg` or Python's pillow-heif": (
        ".heic .heif .hif .avif .avifs"
    ),
    "develop the camera's raw file to JPEG or PNG": (
        ".cr2 .cr3 .crw .nef .nrw .arw .srf .sr2 .dng .orf .rw2 .raf .pef .srw .x3f .3fr .iiq .erf .kdc .mrw .rwl"
    ),
    "save its picture as PNG, for example with `dcm2img a.dcm a.png`": ".dcm .dicom",
    "draw it as PNG at the image's own size": ".svg .svgz .eps .wmf .emf",
    "convert it to PNG": (
        ".psd .psb .xcf .kra .jxl .jxr .wdp .exr .hdr .pfm .qoi .tga .ico .icns .pcx .sgi .ras .dds .svs .ndpi .czi"
    ),
}
UNSUPPORTED_SUFFIXES = {
    suffix: what_to_do
    for what_to_do, suffixes in WHAT_TO_DO.items()
    for suffix in suffixes.split()
    if suffix not in READABLE_SUFFIXES
}
"""Suffixes of pictures that cannot be read, in lower case, with what to do."""

SIGNATURES = {
    ".heic": (4, (b"ftypheic", b"ftypheix", b"ftyphevc", b"ftypheim", b"ftypheis", b"ftypmif1", b"ftypmsf1")),
    ".dcm": (128, (b"DICM",)),
    ".psd": (0, (b"8BPS",)),
    ".jxl": (0, (b"\xff\x0a", b"\0\0\0\x0cJXL ")),
}
"""Position and value of the marks of unsupported types: pictures of telephones are often renamed to .jpg."""
TIFF_SIGNATURES = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")

PIECES = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[^\W\d_A-Z]+|\d+|[\W_]+")
"""Pieces of a name: words (of camel case too), numbers, and what separates them."""
LITTER = frozenset({"__MACOSX", "@eaDir"})  # folders that macOS's archives and file servers add
SUPERPIXELS = "_superpixels"  # suffix of further pictures in ISIC's archives
ARCHIVE_IMAGES = re.compile(r"(ISIC_\d{7})(?:_downsampled)?|(IMD\d{3})", re.IGNORECASE)
"""Images of the ISIC archive, some of which ISIC 2019 has at a smaller size, and of PH2."""
ARCHIVE_GROUPS = re.compile(r"HAM_\d{7}|I[LP]_\d{7}", re.IGNORECASE)
"""Lesions of HAM10000, and lesions and patients of the ISIC archive."""


def is_readable(file: str | PurePath) -> bool:
    """Tells whether a file has the suffix of a picture that can be read."""
    return PurePath(file).suffix.lower() in READABLE_SUFFIXES


def is_unsupported(file: str | PurePath) -> bool:
    """Tells whether a file has the suffix of a picture that cannot be read."""
    return PurePath(file).suffix.lower() in UNSUPPORTED_SUFFIXES


def readable_text() -> str:
    """Returns the suffixes that can be read, for messages."""
    return " ".join(sorted(READABLE_SUFFIXES))


def unsupported_text(file: str | PurePath) -> str:
    """Says what to do with a file that `is_unsupported`."""
    suffix = PurePath(file).suffix.lower()
    return f"{file}: {suffix} files are not supported; {UNSUPPORTED_SUFFIXES[suffix]}"


def contents_text(beginning: bytes) -> str | None:
    """Says what a file is by its first 132 bytes if its type is unsupported, whatever its name; None for any other."""
    for suffix, (position, marks) in SIGNATURES.items():
        if beginning[position:].startswith(marks):
            return f"it is {suffix[1:].upper()}, whatever its name; {UNSUPPORTED_SUFFIXES[suffix]}"
    if beginning.startswith(TIFF_SIGNATURES):
        return "it is a TIFF that is damaged or of an uncommon kind (64 bits?); replace it, or save it with 8 bits"
    return None


def as_read(name: str) -> str:
    """Returns a name in Unicode's NFC form.

    macOS, Linux, Windows and tables differ in whether an accented letter is one character or two.
    """
    return unicodedata.normalize("NFC", name)


def examples(names: Iterable[str]) -> str:
    """Lists the first three names for a message."""
    first: Sequence[str] = list(names)
    return ", ".join(first[:3]) + (", ..." if len(first) > 3 else "") if first else "none"


def archive_image(id_: str) -> str | None:
    """Returns the name of an image in its public archive, which all sources share, or None for any other image.

    Data sets share images under one name although some crop, resize or outline them differently, so names find
    duplicates that pictures do not.

    Args:
        id_: Id of a sample, also of a combined source (`ph2/IMD002`).
    """
    match = ARCHIVE_IMAGES.fullmatch(id_.rpartition("/")[2])
    return (match[1] or match[2]).upper() if match else None


def archive_group(group: str) -> str | None:
    """Returns the name of a lesion or patient in its public archive, or None for any other group."""
    return group.upper() if ARCHIVE_GROUPS.fullmatch(group) else None


def words(text: str) -> frozenset[str]:
    """Returns the words of a text as a set, for tables of words."""
    return frozenset(text.split())


def words_of(name: str) -> set[str]:
    """Returns the words of a name in lower case: `ISIC2018_TestSet` has isic, test and set."""
    return {piece.lower() for piece in PIECES.findall(name) if piece.isalpha()}


MASK_WORDS = words(
    "mask masks msk label labels annotation annotations annotated gt ground truth groundtruth seg segs segm segmented "
    "segmentation segmentations contour contours outline target lesion lesions"
)
"""Words for masks in file names."""
PREDICTION_WORDS = words("prediction predictions predicted pred preds")  # words for masks of a model in file names
IMAGE_WORDS = words("image images img imgs photo photos photograph photographs original input rgb")
"""Words for photographs in file names."""
SUFFIXES_ONLY = words("lesion lesions")
"""Mask words that are no prefixes: `IMD002_lesion` is the mask of `IMD002`, but `lesion_002` may show one."""


@dataclass(frozen=True)
class Affix:
    """Prefix and suffix of a name, in any case."""

    prefix: str = ""
    suffix: str = ""

    def taken_off(self, stem: str) -> str | None:
        """Returns the stem without the affix, or None if the stem lacks it."""
        begin, end = len(self.prefix), len(stem) - len(self.suffix)
        fits = stem[:begin].lower() == self.prefix.lower() and stem[end:].lower() == self.suffix.lower()
        return stem[begin:end] if begin <= end and fits else None

    def around(self, name: str) -> str:
        """Returns a name with the affix."""
        return f"{self.prefix}{name}{self.suffix}"

    def has_word(self, of: Collection[str]) -> bool:
        """Tells whether the affix contains one of some words."""
        return any(piece.lower() in of for piece in PIECES.findall(f"{self.prefix} {self.suffix}"))


PLAIN = Affix()


def word_affixes(stem: str, of: Collection[str]) -> Iterator[Affix]:
    """Yields the suffix and the prefix of a stem that consist of certain words: `_ground_truth`, `mask-`."""
    pieces = PIECES.findall(stem)
    behind = _leading_words(reversed(pieces), of)
    if behind:
        yield Affix(suffix=stem[len(stem) - behind :])
    before = _leading_words(pieces, frozenset(of) - SUFFIXES_ONLY)
    if 0 < before < len(stem):
        yield Affix(prefix=stem[:before])


def _leading_words(pieces: Iterable[str], of: Collection[str]) -> int:
    """Returns the length of the first pieces that are words or separate them; 0 without a word."""
    leading: list[str] = []
    for piece in pieces:
        if piece.lower() not in of and (piece.isalnum() or (leading and not leading[-1].isalnum())):
            break
        leading.append(piece)
    return sum(map(len, leading)) if any(piece.isalnum() for piece in leading) else 0


def shared_affix(stems: Sequence[str], of: Collection[str]) -> Affix:
    """Returns the affix of certain words that all stems have, or an empty one."""
    found = word_affixes(stems[0], of) if stems else ()
    return next((affix for affix in found if all(affix.taken_off(stem) for stem in stems)), PLAIN)


def affixes_around(stem: str, names: Collection[str]) -> Iterator[Affix]:
    """Yields the affix around the longest of some names in a stem, if it is separate from the name."""
    for length in range(len(stem) - 1, 0, -1):
        for begin in range(len(stem) - length + 1):
            end = begin + length
            if stem[begin:end] in names and _is_border(stem, begin) and _is_border(stem, end):
                yield Affix(stem[:begin], stem[end:])
                return


def _is_border(text: str, place: int) -> bool:
    """Tells whether a word or number ends at a place in a text."""
    if place in (0, len(text)):
        return True
    before, behind = text[place - 1], text[place]
    return not (before.isalpha() and behind.isalpha()) and not (before.isdigit() and behind.isdigit())
