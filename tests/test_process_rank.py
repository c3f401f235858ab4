import pytest

from lesionseg.process_rank import is_first_process, process_rank


@pytest.mark.parametrize(
    ("environment", "rank"),
    [
        ({}, 0),
        ({"LOCAL_RANK": "1"}, 1),
        ({"RANK": "3", "LOCAL_RANK": "1"}, 3),
        ({"RANK": "0", "SLURM_PROCID": "2"}, 0),
        ({"SLURM_PROCID": "2"}, 2),
        ({"SLURM_PROCID": ""}, 0),
    ],
)
def test_the_launchers_variables_say_which_process_this_is(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], rank: int
) -> None:
    for name in ("RANK", "LOCAL_RANK", "SLURM_PROCID"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert process_rank() == rank
    assert is_first_process() == (rank == 0)
