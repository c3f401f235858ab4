from collections.abc import Callable
from pathlib import Path

import pytest

from lesionseg.errors import InputError
from lesionseg.exporting.openvino_engine import OpenVinoEngine

pytest.importorskip("openvino")
Exported = Callable[[str], Path]


def test_a_gpu_is_refused_with_the_way_out(exported: Exported) -> None:
    with pytest.raises(InputError, match="format=onnx"):
        OpenVinoEngine(exported("openvino"), device="cuda")


def test_without_openvino_it_says_what_to_install(exported: Exported, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lesionseg.exporting.openvino_engine.find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"pip install 'lesionseg\[openvino\]'"):
        OpenVinoEngine(exported("openvino"), device="cpu")
