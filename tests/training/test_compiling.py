"""Compiling changes nothing but speed; what cannot be compiled trains as it is and says why."""

import copy
from contextlib import nullcontext
from os import environ
from pathlib import Path
from shutil import which
from typing import Any

import pytest
import torch
from lightning.pytorch import Trainer
from torch import Tensor, nn
from torch.utils.data import DataLoader
from torchmetrics import MetricCollection

from lesionseg.loss.bce import BCELoss
from lesionseg.loss.combined import CombinedLoss
from lesionseg.model.segmenter import Segmenter
from lesionseg.training.compiling import NetworkCompiler, compile_network
from lesionseg.training.module import SegmentationModule
from lesionseg.training.schedulers import none

IMAGE = torch.randint(0, 256, (2, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


class Network(nn.Module):
    stride = 1

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU())
        self.dropout = nn.Dropout(0.2)
        self.head = nn.Conv2d(4, 1, 1)

    def forward(self, image: Tensor) -> Tensor:
        logits: Tensor = self.head(self.dropout(self.features(image)))
        return logits


@pytest.fixture
def segmenter() -> Segmenter:
    torch.manual_seed(0)
    return Segmenter(Network(), mean=[128.0] * 3, std=[64.0] * 3, threshold=0.5)


@pytest.fixture(autouse=True)
def _compile_afresh() -> None:
    torch.compiler.reset()


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Lets alone what the compiler says."""
    return [record.message for record in caplog.records if record.name.startswith("lesionseg")]


def no_compiler(graph: Any, inputs: Any) -> Any:
    raise OSError("No working C++ compiler found\nand a lot more about it")


def gradients(segmenter: Segmenter) -> list[Tensor]:
    torch.manual_seed(1)
    segmenter.zero_grad()
    segmenter.train()(IMAGE).square().mean().backward()
    return [parameter.grad.clone() for parameter in segmenter.parameters() if parameter.grad is not None]


@pytest.mark.parametrize("backend", ["aot_eager", "inductor"])
def test_a_compiled_network_computes_the_same(segmenter: Segmenter, backend: str) -> None:
    if backend == "inductor":
        if which(environ.get("CXX", "g++")) is None:
            pytest.skip("there is no C++ compiler")
        segmenter.network.features = nn.ReLU()  # few kernels are built quickly
        segmenter.network.head = nn.Conv2d(3, 1, 1)
    eager = copy.deepcopy(segmenter)
    segmenter.network.dropout.p = eager.network.dropout.p = 0.0  # type: ignore[union-attr]  # compilers draw others
    assert compile_network(segmenter, IMAGE, nullcontext, backend)
    torch.testing.assert_close(gradients(segmenter), gradients(eager), rtol=1e-3, atol=1e-5)
    with torch.inference_mode():
        torch.testing.assert_close(segmenter.eval()(IMAGE), eager.eval()(IMAGE), rtol=1e-3, atol=1e-4)


def test_the_backend_is_what_runs_from_then_on(segmenter: Segmenter) -> None:
    graphs = []

    def note(graph: Any, inputs: Any) -> Any:
        graphs.append(graph)
        return graph

    assert compile_network(segmenter, IMAGE, nullcontext, note)
    tried = len(graphs)
    assert tried == 2  # training and validation
    segmenter(IMAGE[..., :16])
    assert len(graphs) == tried + 1  # another size


def test_names_weights_and_statistics_stay(segmenter: Segmenter) -> None:
    before = copy.deepcopy(segmenter.state_dict())
    compile_network(segmenter, IMAGE, nullcontext, "aot_eager")
    after = segmenter.state_dict()
    assert list(after) == list(before)
    assert all(torch.equal(after[name], value) for name, value in before.items())
    assert all(parameter.grad is None for parameter in segmenter.parameters())


def test_no_random_number_is_used_up(segmenter: Segmenter) -> None:
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    compile_network(segmenter, IMAGE, nullcontext, "eager")
    assert torch.equal(torch.rand(4), expected)


def test_without_a_compiler_it_goes_on_and_says_why_in_one_line(
    segmenter: Segmenter, caplog: pytest.LogCaptureFixture
) -> None:
    eager = copy.deepcopy(segmenter)
    assert not compile_network(segmenter, IMAGE, nullcontext, no_compiler)
    assert said(caplog) == [
        "compile=true does not work here (OSError: No working C++ compiler found): the training goes on without."
    ]
    assert all(map(torch.equal, gradients(segmenter), gradients(eager)))


def test_the_real_compiler_says_that_there_is_no_cpp(
    segmenter: Segmenter, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    from torch._inductor import config

    monkeypatch.setattr(config.cpp, "cxx", (str(tmp_path / "no-such-g++"),))
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))  # nothing that was compiled before
    assert not compile_network(segmenter, IMAGE, nullcontext, "inductor")
    (message,) = said(caplog)
    assert "No working C++ compiler found" in message
    assert "\n" not in message


def test_a_python_that_torch_cannot_compile_for_goes_on(
    segmenter: Segmenter, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise RuntimeError("torch.compile is not supported on Python 3.99+")

    monkeypatch.setattr(torch, "compile", refuse)
    assert not compile_network(segmenter, IMAGE, nullcontext, "inductor")
    assert "(RuntimeError: torch.compile is not supported on Python 3.99+)" in caplog.text


def trained(network: nn.Module, folder: Path, backend: Any) -> tuple[SegmentationModule, list[str]]:
    """Trains for two batches in bf16, compiling it if there is a backend; returns what a checkpoint of it names."""
    torch.manual_seed(0)
    segmenter = Segmenter(network, mean=[128.0] * 3, std=[64.0] * 3, threshold=0.5)
    module = SegmentationModule(
        segmenter,
        loss=CombinedLoss(terms={"bce": BCELoss(positive_weight=1.0)}, weights={"bce": 1.0}),
        metrics=MetricCollection({}),
        optimizer=lambda groups: torch.optim.SGD(groups, lr=1e-3),
        scheduler=lambda optimizer, length: none(optimizer, length, warmup_epochs=0.0),
    )
    batch = {"image": IMAGE, "mask": (IMAGE[:, :1] > 127).to(torch.uint8), "id": ["a", "b"]}
    compiler = [] if backend is None else [NetworkCompiler(image_size=32, batch_size=2, backend=backend)]
    trainer = Trainer(
        accelerator="cpu",
        precision="bf16-mixed",
        max_epochs=1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=compiler,  # type: ignore[arg-type]
        default_root_dir=folder,
    )
    trainer.fit(module, DataLoader([batch, batch], batch_size=None))  # type: ignore[arg-type]
    trainer.save_checkpoint(folder / "a.ckpt")
    return module, list(torch.load(folder / "a.ckpt", weights_only=True)["state_dict"])


def test_a_training_is_compiled_in_its_precision_and_its_checkpoint_is_as_any_other(tmp_path: Path) -> None:
    types = []

    def note(graph: Any, inputs: Any) -> Any:
        def run(*given: Any) -> Any:
            results = graph(*given)
            types.append(results[0].dtype)
            return results

        return run

    torch.manual_seed(0)
    _, names = trained(Network(), tmp_path, note)
    assert len(types) >= 4  # trial, validation of the trial, two batches
    assert set(types) == {torch.bfloat16}
    assert names == trained(Network(), tmp_path, None)[1]


def test_a_training_whose_network_cannot_be_compiled_is_the_same_as_without(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    torch.manual_seed(0)
    plain, _ = trained(Network(), tmp_path, None)
    torch.manual_seed(0)
    fallen_back, _ = trained(Network(), tmp_path, no_compiler)
    assert "OSError: No working C++ compiler found" in caplog.text
    states = zip(plain.state_dict().values(), fallen_back.state_dict().values(), strict=True)
    assert all(torch.equal(*pair) for pair in states)
