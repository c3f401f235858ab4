from typing import Any

import pytest
import torch
from omegaconf import DictConfig, OmegaConf

from lesionseg.study import crossval_jobs as places
from lesionseg.study.crossval_jobs import GPUS, THREADS, places_for


@pytest.fixture(autouse=True)
def _machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Eight cores, no GPU, nothing set."""
    monkeypatch.setattr(places, "usable_cores", lambda: 8)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    for name in (GPUS, THREADS):
        monkeypatch.delenv(name, raising=False)


def training(**trainer: Any) -> DictConfig:
    return OmegaConf.create({"trainer": {"accelerator": "auto", "devices": 1} | trainer})


def test_a_cpu_runs_one_training_with_all_its_cores() -> None:
    assert places_for(training(), jobs=None, most=5) == [{}]


def test_several_on_a_cpu_share_its_cores() -> None:
    assert places_for(training(), jobs=3, most=5) == [{THREADS: "2"}] * 3


def test_more_than_there_are_cores_get_one_each() -> None:
    assert places_for(training(), jobs=9, most=9) == [{THREADS: "1"}] * 9


def test_fewer_threads_stay_fewer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(THREADS, "3")
    assert places_for(training(), jobs=2, most=2) == [{THREADS: "3"}] * 2
    assert places_for(training(), jobs=4, most=4) == [{THREADS: "2"}] * 4


def test_there_are_no_more_places_than_trainings() -> None:
    assert len(places_for(training(), jobs=8, most=2)) == 2


def test_each_gpu_gets_a_training(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert places_for(training(), jobs=None, most=5) == [{GPUS: "0", THREADS: "4"}, {GPUS: "1", THREADS: "4"}]
    assert [place[GPUS] for place in places_for(training(), jobs=3, most=5)] == ["0", "1", "0"]


def test_only_gpus_that_may_be_seen_are_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setenv(GPUS, "3, 5")
    assert [place[GPUS] for place in places_for(training(), jobs=None, most=5)] == ["3", "5"]


@pytest.mark.parametrize("trainer", [{"accelerator": "cpu"}, {"devices": 2}])
def test_no_gpu_is_given_to_what_wants_none_or_several(
    monkeypatch: pytest.MonkeyPatch, trainer: dict[str, Any]
) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert places_for(training(**trainer), jobs=None, most=5) == [{}]
