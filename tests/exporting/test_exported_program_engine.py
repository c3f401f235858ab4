from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from torch._export.serde.schema import ScalarType

from lesionseg.exporting.exported_program import CHECKS, DTYPES, OPERATORS, ExportedProgram
from lesionseg.exporting.exported_program_archive import DTYPES as WEIGHT_DTYPES
from lesionseg.exporting.exported_program_archive import Archive, UnexpectedError, read_archive

Exported = Callable[[str], Path]


@pytest.fixture(scope="module")
def archive(exported: Exported) -> Archive:
    path = exported("torch_export")
    return read_archive(path.read_bytes(), path)


def program_of(archive: Archive, program: Mapping[str, Any] | None = None) -> ExportedProgram:
    weights = {name: torch.from_numpy(weight) for name, weight in archive.weights.items()}
    return ExportedProgram(program or archive.program, weights)


def test_its_numbers_for_types_are_torchs() -> None:
    names = {torch.uint8: "BYTE", torch.int64: "LONG", torch.float32: "FLOAT", torch.bool: "BOOL"}
    assert {number: ScalarType[names[dtype]].value for number, dtype in DTYPES.items()} == {n: n for n in DTYPES}
    assert {ScalarType.FLOAT.value: "<f4", ScalarType.LONG.value: "<i8"} == {
        number: dtype.str for number, dtype in WEIGHT_DTYPES.items()
    }


def test_every_allowed_operator_is_one_of_torchs() -> None:
    assert [name for name in OPERATORS | CHECKS if not hasattr(torch.ops.aten, name)] == []


def test_no_allowed_operator_touches_a_file_or_draws_numbers() -> None:
    assert not OPERATORS & {"from_file", "_debug_has_internal_overlap", "empty", "rand", "randn", "bernoulli", "set_"}


def test_weights_are_the_checkpoints(archive: Archive, smoke_run: Path) -> None:
    from lesionseg.checkpoint.checkpoint import read, segmenter_state

    stored = segmenter_state(read(smoke_run / "checkpoints" / "best.ckpt"))
    found = {name.removeprefix("segmenter."): torch.from_numpy(weight) for name, weight in archive.weights.items()}
    assert set(found) == set(stored)
    assert all(torch.equal(found[name], stored[name]) for name in stored)


def test_results_that_nothing_needs_any_more_are_given_back(archive: Archive) -> None:
    alive: list[int] = []
    program = program_of(archive)
    kept: dict[int, Any] = {}

    def count(result: Any) -> None:
        import weakref

        if isinstance(result, torch.Tensor):
            kept[id(result)] = weakref.ref(result)
        alive.append(sum(reference() is not None for reference in kept.values()))

    program.run(torch.zeros(1, 64, 64, 3, dtype=torch.uint8), program.weights, on_result=count)
    assert max(alive) < 15 < len(alive)


def test_a_result_beyond_all_bounds_is_found_before_it_is_computed(archive: Archive) -> None:
    import json

    program = json.loads(json.dumps(archive.program))
    for node in program["graph_module"]["graph"]["nodes"]:
        if "_upsample_bilinear2d_aa" in node["target"]:
            node["inputs"][1]["arg"] = {"as_ints": [2**20, 2**20]}
    with pytest.raises(UnexpectedError, match="elements; allowed"):
        program_of(archive, program).check_sizes(64)
