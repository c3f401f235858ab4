import pytest

from lesionseg.data.drawn import trains_on_drawn_images
from lesionseg.data.synthetic import Synthetic

DRAWN = {"_target_": f"{Synthetic.__module__}.{Synthetic.__qualname__}", "train": 320}
PHOTOGRAPHS = {"_target_": "lesionseg.data.folder.Folder", "root": "a"}


def combined(**train: object) -> dict[str, object]:
    return {"_target_": "lesionseg.data.combined.Combined", "train": train, "test": {"a": PHOTOGRAPHS}}


@pytest.mark.parametrize(
    ("node", "expected"),
    [
        (DRAWN, True),
        (PHOTOGRAPHS, False),
        (combined(a=DRAWN, b=None), True),
        (combined(a=DRAWN, b=PHOTOGRAPHS), False),
        (combined(a=None), False),
        (None, False),
        ("text", False),
    ],
)
def test_only_what_is_drawn_throughout_counts(node: object, expected: bool) -> None:
    assert trains_on_drawn_images(node) is expected
