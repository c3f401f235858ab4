"""Every file of conf/trainer: what it says passes the check, and builds a trainer where the hardware is there."""

from typing import Any

import pytest
import torch
from lightning.fabric.plugins.environments.slurm import SLURMEnvironment
from lightning.pytorch import Trainer
from lightning.pytorch.strategies import DDPStrategy
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from lesionseg.check import check
from lesionseg.config.build import build
from lesionseg.config.schema import CONF
from lesionseg.errors import InputError

NAMES = sorted(path.stem for path in (CONF / "trainer").glob("*.yaml"))
JOB = {
    "SLURM_NNODES": "2",
    "SLURM_NTASKS_PER_NODE": "4",
    "SLURM_NTASKS": "8",
    "SLURM_PROCID": "5",
    "SLURM_LOCALID": "1",
    "SLURM_NODEID": "1",
    "SLURM_JOB_ID": "4321",
    "SLURM_JOB_NAME": "skin",
}


@pytest.fixture
def in_a_job(monkeypatch: pytest.MonkeyPatch) -> None:
    """The second task on the second of two nodes with four each."""
    for name, value in JOB.items():
        monkeypatch.setenv(name, value)


@pytest.fixture(autouse=True)
def _this_stays_the_first_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """A trainer of several processes tells Lightning's loggers which of them this is, for good."""
    from lightning.fabric.utilities import rank_zero as fabric
    from lightning.pytorch.utilities import rank_zero as pytorch

    for module in (fabric, pytorch):
        monkeypatch.setattr(module.rank_zero_only, "rank", getattr(module.rank_zero_only, "rank", 0), raising=False)


def built(cfg: DictConfig) -> Trainer:
    trainer = build("trainer", cfg.trainer, logger=False, enable_checkpointing=False, enable_progress_bar=False)
    assert isinstance(trainer, Trainer)
    return trainer


@pytest.mark.parametrize("name", NAMES)
def test_it_passes_the_check_of_a_training(
    compose: Any, in_a_job: None, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 8)
    check(compose(["experiment=smoke", f"trainer={name}"]))


@pytest.mark.parametrize("name", NAMES)
def test_a_mistake_in_it_is_found(compose: Any, in_a_job: None, name: str) -> None:
    with pytest.raises(InputError, match=r"has no argument max_epoch \(did you mean max_epochs\?\)"):
        check(compose(["experiment=smoke", f"trainer={name}", "+trainer.max_epoch=3"]))


@pytest.mark.parametrize("name", ["ddp", "fsdp", "gpu", "slurm"])
@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_it_is_refused_in_one_message(compose: Any, in_a_job: None, name: str) -> None:
    cfg = compose(["experiment=smoke", f"trainer={name}", "trainer.precision=32-true"])
    with pytest.raises(InputError, match=r"trainer: .*(GPU|gpu)"):
        built(cfg)


@pytest.mark.parametrize(("name", "processes"), [("default", 1), ("cpu", 1), ("ddp_cpu", 2)])
def test_on_a_cpu_it_has_as_many_processes_as_it_says(compose: Any, name: str, processes: int) -> None:
    cfg = compose(["experiment=smoke", f"trainer={name}", "trainer.accelerator=cpu", "trainer.precision=32-true"])
    trainer = built(cfg)
    assert trainer.world_size == processes
    assert isinstance(trainer.strategy, DDPStrategy) == (processes > 1)


def test_a_slurm_job_says_how_many_there_are_and_lightning_does_not_requeue_it(compose: Any, in_a_job: None) -> None:
    words = ["trainer.accelerator=cpu", "trainer.precision=32-true"]
    trainer = built(compose(["experiment=smoke", "trainer=slurm", *words]))
    assert (trainer.num_nodes, trainer.world_size, trainer.global_rank) == (2, 8, 5)
    environment = trainer.strategy.cluster_environment  # type: ignore[attr-defined]
    assert isinstance(environment, SLURMEnvironment)
    assert environment.auto_requeue is False


def test_outside_of_slurm_it_says_which_variable_is_missing(compose: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in JOB:
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(OmegaConfBaseException, match=r"SLURM_N\w+.* not found"):
        check(compose(["experiment=smoke", "trainer=slurm"]))


def test_fsdp_goes_without_what_it_cannot_do_and_keeps_checkpoints_in_one_file(compose: Any) -> None:
    cfg = compose(["experiment=smoke", "trainer=fsdp"])
    assert cfg.callbacks.ema is None
    assert cfg.trainer.gradient_clip_val is None
    assert cfg.trainer.strategy.state_dict_type == "full"
    assert cfg.trainer.max_epochs == OmegaConf.load(CONF / "experiment" / "smoke.yaml").trainer.max_epochs
