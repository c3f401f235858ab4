from pathlib import Path
from typing import Any

import pytest

from lesionseg.checkpoint import read
from lesionseg.errors import InputError
from lesionseg.stored.contents import check_contents


def test_everything_wrong_is_listed_at_once_with_what_is_allowed(smoke_run: Path) -> None:
    checkpoint: dict[str, Any] = read(smoke_run / "checkpoints" / "best.ckpt")
    checkpoint["lesionseg"]["config"]["image_size"] = 10**15
    del checkpoint["lesionseg"]["split"]["sha256"]
    with pytest.raises(InputError) as caught:
        check_contents(checkpoint)
    assert str(caught.value).splitlines() == [
        "it is incomplete or damaged; copy it again, or give another:",
        "  - lesionseg.config.image_size: Input should be less than or equal to 4096",
        "  - lesionseg.split.sha256: Field required",
    ]


def test_what_else_is_in_it_may_stay(smoke_run: Path) -> None:
    checkpoint = read(smoke_run / "checkpoints" / "last.ckpt")
    check_contents(checkpoint | {"mine": 5})
