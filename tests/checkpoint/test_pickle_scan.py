from collections import OrderedDict
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.optim.lr_scheduler import OneCycleLR, ReduceLROnPlateau

from lesionseg.checkpoint.pickle_scan import check_pickle
from lesionseg.checkpoint.reading import open_archive
from lesionseg.errors import InputError


def checked(path: Path, value: Any) -> None:
    torch.save(value, path)
    archive = open_archive(path)
    check_pickle(archive.pickle, archive.storages)


@pytest.mark.parametrize(
    "dtype",
    [
        torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.int64, torch.int32, torch.int16, torch.int8,
        torch.uint8, torch.bool,
    ],
)  # fmt: skip
def test_tensors_of_all_usual_types_pass(tmp_path: Path, dtype: torch.dtype) -> None:
    checked(tmp_path / "file", {"a": torch.ones(2, 3, dtype=dtype)})


MATRIX = torch.arange(60.0).reshape(3, 4, 5)
IMAGES = torch.ones(2, 3, 4, 5).to(memory_format=torch.channels_last)


@pytest.mark.parametrize(
    "tensor",
    [
        pytest.param(torch.tensor(1.0), id="number"),
        pytest.param(torch.ones(0), id="empty"),
        pytest.param(torch.ones(3, 0, 2), id="empty in one dimension"),
        pytest.param(torch.ones(1, 1, 1, 5), id="dimensions of one"),
        pytest.param(MATRIX.permute(2, 0, 1), id="turned"),
        pytest.param(MATRIX[1], id="row"),
        pytest.param(MATRIX[:, 1:3, ::2], id="part"),
        pytest.param(MATRIX[-1, -1, -1], id="last number"),
        pytest.param(IMAGES, id="channels last"),
        pytest.param(torch.ones(2).requires_grad_(), id="with a gradient"),
    ],
)
def test_tensors_whose_numbers_lie_apart_pass(tmp_path: Path, tensor: torch.Tensor) -> None:
    checked(tmp_path / "file", [tensor, tensor])


@pytest.mark.parametrize("tensor", [torch.ones(1).expand(2), torch.ones(5).as_strided((3, 3), (1, 1))])
def test_tensors_of_more_numbers_than_their_storage_are_refused(tmp_path: Path, tensor: torch.Tensor) -> None:
    with pytest.raises(InputError, match=r"of shape .*, but only [15] numbers for it"):
        checked(tmp_path / "file", tensor)


def test_state_dicts_of_models_optimizers_and_schedulers_pass(tmp_path: Path) -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
    model(torch.randn(2, 3, 8, 8)).sum().backward()
    for optimizer in (torch.optim.AdamW(model.parameters()), torch.optim.SGD(model.parameters(), 0.1, momentum=0.9)):
        optimizer.step()
        schedulers = ReduceLROnPlateau(optimizer), OneCycleLR(optimizer, 0.1, total_steps=10)
        states = [scheduler.state_dict() for scheduler in schedulers]
        checked(tmp_path / "file", [model.state_dict(), optimizer.state_dict(), *states])


def test_plain_values_pass(tmp_path: Path) -> None:
    values: list[Any] = [
        None,
        True,
        0,
        -1,
        2**31,
        2**63,
        1.5,
        float("nan"),
        "",
        "ä",
        "\N{MICROSCOPE}",
        [],
        {},
        (),
        (1,),
    ]
    checked(tmp_path / "file", {"a": values, 5: (1, 2, [3, 4, {"b": tuple(range(10))}]), "c": OrderedDict(d=1)})


def test_the_same_value_in_many_places_passes(tmp_path: Path) -> None:
    shared = ["x"] * 100
    checked(tmp_path / "file", [shared] * 1000)


@pytest.mark.parametrize("value", [2**64, -(2**63) - 1], ids=["large", "small"])
def test_whole_numbers_of_more_than_64_bits_are_refused(tmp_path: Path, value: int) -> None:
    with pytest.raises(InputError, match="64 bits"):
        checked(tmp_path / "file", [value])
