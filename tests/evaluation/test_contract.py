"""Every file of `conf/evaluation` composes, passes the check and gives settings."""

from typing import Any

import pytest

from lesionseg.check import check
from lesionseg.config.build import build
from lesionseg.config.schema import CONF
from lesionseg.errors import InputError
from lesionseg.evaluation.settings import EvaluationSettings

NAMES = sorted(path.stem for path in (CONF / "evaluation").glob("*.yaml"))


@pytest.mark.parametrize("name", NAMES)
def test_it_passes_the_check_and_gives_settings(name: str, compose: Any) -> None:
    cfg = compose([f"evaluation={name}"])
    check(cfg)
    assert isinstance(build("evaluation", cfg.evaluation), EvaluationSettings)


@pytest.mark.parametrize(
    "setting", ["resamples=99", "seed=-1", "boundary_tolerance=101", "picture_size=-1", "worst=-1"]
)
def test_numbers_out_of_range_are_refused_before_any_work(setting: str, compose: Any) -> None:
    with pytest.raises(InputError, match=f"evaluation.{setting.split('=')[0]} is"):
        check(compose([f"evaluation.{setting}"]))
