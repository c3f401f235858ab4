"""The optional U-Net with a pretrained encoder: its images, its weights, and what is said where these cannot be had.

A stand-in takes the library's place where only what is asked of it matters, so that this is tested without the extra.
"""

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from lesionseg.checkpoint.rebuild import on_meta_device, segmenter_of
from lesionseg.errors import InputError
from lesionseg.model.segmenter import Segmenter
from lesionseg.model.smp import SmpUnet

SKIN = {"mean": [180.0, 150.0, 139.0], "std": [40.0, 42.0, 45.0]}
IMAGENET = {"weights_mean": [123.675, 116.28, 103.53], "weights_std": [58.395, 57.12, 57.375]}
SETTINGS: dict[str, Any] = {
    "encoder": "resnet18",
    "encoder_weights": None,
    "decoder_channels": [16, 8, 8, 4, 4],
    **SKIN,
    **IMAGENET,
}


class StandIn(nn.Module):
    """Hands the image through, and downloads nothing."""

    downloads: list[str] = []  # noqa: RUF012  (of one test; see `library`)

    def __init__(self, encoder: str, *, encoder_weights: str | None, decoder_channels: list[int], classes: int) -> None:
        super().__init__()
        self.encoder = nn.Conv2d(3, 3, 1)
        if encoder_weights is not None:
            self.downloads.append(encoder_weights)

    def forward(self, image: Tensor) -> Tensor:
        return image


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> type[StandIn]:
    published = {"imagenet": {"repo_id": "smp-hub/resnet18.imagenet"}}
    encoders = {"resnet18": {"pretrained_settings": published}, "mit_b0": {}, "timm-skresnet18": {}}
    module = SimpleNamespace(Unet=StandIn, encoders=SimpleNamespace(encoders=encoders))
    monkeypatch.setitem(sys.modules, "segmentation_models_pytorch", module)  # type: ignore[arg-type]
    monkeypatch.setattr(StandIn, "downloads", [])
    return StandIn


def test_with_weights_the_image_is_normalised_as_imagenet_was(library: type[StandIn]) -> None:
    """The truth is torchvision's recipe: divide by 255, subtract 0.485 ..., divide by 0.229 ..."""
    image = torch.randint(0, 256, (2, 3, 32, 64), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    network = SmpUnet(**SETTINGS | {"encoder_weights": "imagenet"})
    seen = Segmenter(network, **SKIN, threshold=0.5)(image)
    means, stds = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    expected = (image / 255 - means.view(1, 3, 1, 1)) / stds.view(1, 3, 1, 1)
    torch.testing.assert_close(seen, expected, rtol=1e-5, atol=1e-5)


def test_random_weights_see_what_the_segmenter_normalised(library: type[StandIn]) -> None:
    image = torch.randn(1, 3, 32, 32)
    assert torch.equal(SmpUnet(**SETTINGS)(image), image)


def test_weights_are_asked_for_once_and_never_on_the_meta_device(library: type[StandIn]) -> None:
    with torch.device("meta"):
        SmpUnet(**SETTINGS | {"encoder_weights": "imagenet"})
    assert library.downloads == []
    SmpUnet(**SETTINGS | {"encoder_weights": "imagenet"})
    assert library.downloads == ["imagenet"]


def test_without_the_extra_it_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "segmentation_models_pytorch", None)
    with pytest.raises(InputError, match=r"pip install 'lesionseg\[smp\]'"):
        SmpUnet(**SETTINGS)


def test_a_torchvision_of_another_build_is_told_apart(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "segmentation_models_pytorch.py").write_text("raise RuntimeError('operator torchvision::nms ...')")
    monkeypatch.delitem(sys.modules, "segmentation_models_pytorch", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(InputError, match=r"operator torchvision::nms .*torch and torchvision have to be of one build"):
        SmpUnet(**SETTINGS)


def test_a_failed_download_says_what_else_there_is(library: type[StandIn], monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, encoder_weights: str | None, **__: object) -> None:
        if encoder_weights is not None:
            raise OSError("cannot reach the server\nlong advice")

    monkeypatch.setattr(sys.modules["segmentation_models_pytorch"], "Unet", fail)
    with pytest.raises(InputError) as raised:
        SmpUnet(**SETTINGS | {"encoder_weights": "imagenet"})
    message = str(raised.value)
    assert "resnet18 cannot be downloaded (cannot reach the server)." in message
    assert "https://huggingface.co/smp-hub/resnet18.imagenet" in message
    assert "model.encoder_weights=null" in message


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"encoder": "resnet19"}, r"^model.encoder is resnet19; allowed: resnet18$"),
        ({"encoder": "mit_b0"}, r"^model.encoder is mit_b0; allowed: resnet18$"),
        ({"encoder": "timm-skresnet18"}, "allowed: resnet18$"),
        ({"encoder_weights": "imagenet21k"}, "allowed for resnet18: imagenet, a file that ends with .safetensors, or"),
        ({"decoder_channels": [8, 8, 8]}, r"decoder_channels is \[8, 8, 8\]; allowed: five numbers"),
        ({"decoder_channels": [8, 8, 8, 8, 0]}, "each above 0"),
        ({"weights_mean": [124.0]}, "three numbers each"),
        ({"weights_std": [58.0, 0.0, 57.0]}, "std above 0"),
    ],
)
def test_settings_that_cannot_be_are_refused_with_what_can(
    library: type[StandIn], changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        SmpUnet(**SETTINGS | changes)


class TestWithTheExtra:
    @pytest.fixture(autouse=True)
    def _offline(self, monkeypatch: pytest.MonkeyPatch) -> None:
        pytest.importorskip("segmentation_models_pytorch", reason="the extra lesionseg[smp] is not installed")
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)

    def test_weights_come_from_a_file(self, tmp_path: Path) -> None:
        from safetensors.torch import save_file

        torch.manual_seed(0)
        state = SmpUnet(**SETTINGS).unet.encoder.state_dict()  # type: ignore[union-attr]
        save_file(state, tmp_path / "model.safetensors")
        loaded = SmpUnet(**SETTINGS | {"encoder_weights": str(tmp_path / "model.safetensors")})
        assert all(torch.equal(value, state[name]) for name, value in loaded.unet.encoder.state_dict().items())  # type: ignore[union-attr]
        assert not torch.equal(loaded.scale, torch.ones(1, 3, 1, 1))
        with pytest.raises(InputError, match="these are no weights of resnet34"):
            SmpUnet(**SETTINGS | {"encoder": "resnet34", "encoder_weights": str(tmp_path / "model.safetensors")})

    def test_a_file_that_is_none_is_refused(self, tmp_path: Path) -> None:
        path = tmp_path / "model.safetensors"
        with pytest.raises(InputError, match="there is no file"):
            SmpUnet(**SETTINGS | {"encoder_weights": str(path)})
        path.write_bytes(b"<html>404</html>")
        with pytest.raises(InputError, match="these are no weights of resnet18"):
            SmpUnet(**SETTINGS | {"encoder_weights": str(path)})

    def test_without_a_network_connection_it_says_so(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
        with pytest.raises(InputError, match=r"cannot be downloaded .*encoder_weights=FILE.safetensors"):
            SmpUnet(**SETTINGS | {"encoder_weights": "imagenet"})

    def test_a_checkpoint_of_a_pretrained_network_opens_without_downloading(self) -> None:
        trained = Segmenter(SmpUnet(**SETTINGS), **SKIN, threshold=0.5).eval()
        with on_meta_device():  # as a training with ImageNet's weights would have had it
            pretrained = SmpUnet(**SETTINGS | {"encoder_weights": "imagenet"})
        assert pretrained.state_dict().keys() == trained.network.state_dict().keys()
        trained.network.scale.fill_(0.7)  # type: ignore[operator]
        settings = SETTINGS | {"_target_": "lesionseg.model.smp.SmpUnet", "encoder_weights": "imagenet"}
        checkpoint = {
            "state_dict": {f"segmenter.{name}": value for name, value in trained.state_dict().items()},
            "lesionseg": {"config": {"model": settings, "segmenter": {**SKIN, "threshold": 0.5}}},
        }
        opened = segmenter_of(checkpoint)
        image = torch.randint(0, 256, (1, 3, 64, 64), dtype=torch.uint8)
        with torch.no_grad():
            torch.testing.assert_close(opened(image), trained(image))
