"""Which files are pictures by their names: those that can be read, and those that cannot and have to be converted."""

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
"""In lower case; of a file of several pictures (GIF, TIFF, APNG, MPO) the first is read."""

FORMATS = (
    *("JPEG", "PNG", "TIFF", "BMP", "DIB", "WEBP", "GIF", "JPEG2000", "PPM"),
    *(("AVIF",) if ".avif" in READABLE_SUFFIXES else ()),
)
"""What Pillow may take a file for, whatever its name: its rarer parsers are not for strangers' files, and for one of
them (EPS) it would start another program."""

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
"""Suffixes of pictures that are not read, in lower case, and what to do with one."""

SIGNATURES = {
    ".heic": (4, (b"ftypheic", b"ftypheix", b"ftyphevc", b"ftypheim", b"ftypheis", b"ftypmif1", b"ftypmsf1")),
    ".dcm": (128, (b"DICM",)),
    ".psd": (0, (b"8BPS",)),
    ".jxl": (0, (b"\xff\x0a", b"\0\0\0\x0cJXL ")),
}
"""Where files of unsupported kinds begin with what: telephones' pictures are often renamed to .jpg."""

TIFF_SIGNATURES = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


def is_readable(file: str | PurePath) -> bool:
    """Tells whether a file's name ends as that of a picture that can be read."""
    return PurePath(file).suffix.lower() in READABLE_SUFFIXES


def is_unsupported(file: str | PurePath) -> bool:
    """Tells whether a file's name ends as that of a picture that cannot be read."""
    return PurePath(file).suffix.lower() in UNSUPPORTED_SUFFIXES


def unsupported_text(file: str | PurePath) -> str:
    """Words what is wrong with a file that `is_unsupported`, and what to do."""
    suffix = PurePath(file).suffix.lower()
    return f"{file}: {suffix} files are not supported; {UNSUPPORTED_SUFFIXES[suffix]}"


def contents_text(beginning: bytes) -> str | None:
    """Tells from a file's first bytes what picture of an unsupported kind it is, whatever its name; None for any other.

    Args:
        beginning: At least 132 bytes, or all there are.
    """
    for suffix, (position, marks) in SIGNATURES.items():
        if beginning[position:].startswith(marks):
            return f"it is {suffix[1:].upper()}, whatever its name; {UNSUPPORTED_SUFFIXES[suffix]}"
    if beginning.startswith(TIFF_SIGNATURES):
        return "it is a TIFF that is damaged or of an uncommon kind (64 bits?); replace it, or save it with 8 bits"
    return None


def readable_text() -> str:
    """Lists the suffixes that can be read, for messages."""
    return " ".join(sorted(READABLE_SUFFIXES))
