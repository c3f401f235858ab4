"""The verb as a whole, in a setting so small that its numbers mean nothing."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hydra
import pytest
from omegaconf import DictConfig

from lesionseg.benchmark import benchmark
from lesionseg.config.schema import CONF, register_schemas
from lesionseg.errors import InputError

TINY = [
    *("image_size=32", "model=unet_small", "model.base_channels=2", "model.depth=2", "rounds=2", "seconds=0.01"),
    *("batch_size=4", "inference_batch_size=2", "num_workers=0", "loader_images=4", "runtimes=[eager]", "device=cpu"),
]
PEER = ["_target_=torch.nn.Conv2d", "in_channels=3", "out_channels=1", "kernel_size=1"]


def composed(*overrides: str) -> DictConfig:
    register_schemas()
    with hydra.initialize_config_dir(config_dir=str(CONF), version_base="1.3"):
        return hydra.compose("benchmark", overrides=["name=mine", *TINY, *overrides])


def test_all_stages_are_measured_for_the_network_and_its_peer(
    photographs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from lesionseg.benchmarking import benchmarking

    monkeypatch.setattr(benchmarking, "peak_memory", lambda _: 5_000_000)  # in a process of its own, for seconds
    peer = [f"+peers.theirs.network.{setting}" for setting in PEER]
    found = benchmark(composed(f"run_dir={tmp_path}", f"photographs={photographs / 'images'}", *peer))
    assert set(found) == {
        "loader/cold/Synthetic",
        "loader/cached, augmented/Synthetic",
        "training/step/mine",
        "training/step/theirs",
        "inference/eager/mine",
        "inference/eager/theirs",
        "inference/network alone/mine",
        "inference/network alone/theirs",
        "folder/prediction/mine",
        "folder/decoding alone",
    }
    assert min(found.values()) > 0
    record = json.loads((tmp_path / "benchmark.json").read_text())
    assert [subject["parameters"] for subject in record["subjects"]][1] == 3 + 1
    assert [subject["flops"] for subject in record["subjects"]][1] == 2 * 3 * 32 * 32
    assert all(len(speed["rates"]) == 2 for speed in record["speeds"])
    assert "5 MB" in capsys.readouterr().out


def test_a_trained_network_is_measured_at_its_own_size(smoke_run: Path, tmp_path: Path) -> None:
    checkpoint = f"checkpoint={smoke_run / 'checkpoints' / 'best.ckpt'}"
    found = benchmark(composed(f"run_dir={tmp_path}", "measure=[inference]", "image_size=null", checkpoint))
    assert set(found) == {"inference/eager/smoke", "inference/network alone/smoke"}
    assert json.loads((tmp_path / "benchmark.json").read_text())["config"]["image_size"] == 64


def test_a_peer_that_gives_no_logits_ends_before_any_measurement(tmp_path: Path) -> None:
    peer = [f"+peers.theirs.network.{setting}" for setting in PEER[:2]]
    wrong = ["+peers.theirs.network.out_channels=2", "+peers.theirs.network.kernel_size=1"]
    with pytest.raises(InputError, match=r"peers\.theirs\.network: for an image .* it gives an output of shape"):
        benchmark(composed(f"run_dir={tmp_path}", *peer, *wrong))
    assert list(tmp_path.iterdir()) == []


def test_a_mistyped_key_ends_with_2_and_one_message(run_verb: Callable[..., Any], tmp_path: Path) -> None:
    done = run_verb(tmp_path, "benchmark", "round=3")
    assert done.returncode == 2
    assert "Did you mean rounds?" in done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_composing_imports_no_torch() -> None:
    code = (
        "import sys; sys.argv = ['x', '--cfg', 'job']\n"
        "from lesionseg.benchmark import main\n"
        "main()\n"
        "assert not {'torch', 'matplotlib'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
