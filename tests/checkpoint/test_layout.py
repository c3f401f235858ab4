from pathlib import Path
from typing import Any

import pytest
import torch

from lesionseg.checkpoint.layout import check_contents
from lesionseg.checkpoint.reading import read
from lesionseg.errors import InputError


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


@pytest.mark.parametrize(
    "values", [torch.zeros(1, 11, 48), torch.zeros(2, 11, 48, dtype=torch.int8), torch.zeros(1, 9, dtype=torch.int8)]
)
def test_descriptors_of_another_shape_or_type_are_refused(smoke_run: Path, values: torch.Tensor) -> None:
    checkpoint = read(smoke_run / "checkpoints" / "best.ckpt")
    checkpoint["lesionseg"]["descriptors"] = {"ids": ["a"], "values": values}
    with pytest.raises(InputError, match="allowed: int8 \\(1, 11, 48\\)"):
        check_contents(checkpoint)
