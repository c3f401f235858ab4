"""A visit with `fix=`: the data's report, the copy, and the copy's own verdict."""

import json
from collections.abc import Callable
from pathlib import Path

import hydra
import numpy as np
import pytest
from PIL import Image

from lesionseg.config.schema import CONF, register_schemas
from lesionseg.data.check.checking import visit
from lesionseg.errors import InputError


def visited(root: Path, target: Path) -> dict[str, int]:
    register_schemas()
    with hydra.initialize_config_dir(config_dir=str(CONF), version_base="1.3"):
        overrides = ["data=folder", f"data.root='{root}'", f"fix='{target}'", f"run_dir='{target.parent / 'report'}'"]
        return visit(hydra.compose("check_data", overrides=overrides))


def test_the_copy_is_examined_and_its_command_named(
    tmp_path: Path, draw_pairs: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    root = draw_pairs(tmp_path / "my data", {f"{n:02d}": n for n in range(12)})
    levels = np.zeros((64, 64), np.uint8)
    levels[20:40, 20:40] = 255
    Image.fromarray(levels).save(root / "masks" / "03.jpg")
    (root / "masks" / "03.png").unlink()
    (root / "masks" / "04.png").write_bytes(b"no image")
    assert visited(root, tmp_path / "my copy") == {"error": 0, "warning": 0, "note": 0}
    report = json.loads((tmp_path / "report" / "check.json").read_text(encoding="utf-8"))
    assert report["counts"] == {"error": 2, "warning": 0, "note": 0}
    printed = capsys.readouterr().out
    assert f"{tmp_path / 'my copy'}: 10 pairs as they were, 1 repaired; 1 left out" in printed
    assert f"train data=folder 'data.root={tmp_path / 'my copy'}'".replace("'data.root=", "data.root='") in printed


def test_a_target_in_the_data_is_refused_before_anything_is_read(
    tmp_path: Path, draw_pairs: Callable[..., Path]
) -> None:
    root = draw_pairs(tmp_path / "data", {"a": 0})
    with pytest.raises(InputError, match="lies in the data"):
        visited(root, root / "fixed")
    assert not (tmp_path / "data" / "report").exists()
