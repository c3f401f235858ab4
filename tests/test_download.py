"""`python -m lesionseg.download` as a user meets it: exit codes and printed text."""

import functools
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable, Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from lesionseg.download import main

FILES = {
    "ISBI2016_ISIC_Part1_Training_Data": "ISIC_0000000.jpg",
    "ISBI2016_ISIC_Part1_Training_GroundTruth": "ISIC_0000000_Segmentation.png",
    "ISBI2016_ISIC_Part1_Test_Data": "ISIC_0000003.jpg",
    "ISBI2016_ISIC_Part1_Test_GroundTruth": "ISIC_0000003_Segmentation.png",
}


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Serves ISIC 2016 with one picture a part, and nothing else."""
    folder = tmp_path_factory.mktemp("server")
    (folder / "2016").mkdir()
    for name, file in FILES.items():
        with zipfile.ZipFile(folder / "2016" / f"{name}.zip", "w") as archive:
            archive.writestr(f"{name}/{file}", file)
    http = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder)))
    threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield f"http://127.0.0.1:{http.server_address[1]}"
    http.shutdown()
    http.server_close()


Run = Callable[..., str]


@pytest.fixture
def fail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command that has to end with exit code 2, and returns what it writes to stderr."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.delenv("HYDRA_FULL_ERROR", raising=False)

    def call(*arguments: str) -> str:
        monkeypatch.setattr(sys, "argv", ["lesionseg.download", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        assert ended.value.code == 2
        return capsys.readouterr().err

    return call


def test_data_must_be_chosen(fail: Run, tmp_path: Path) -> None:
    assert "lesionseg.download needs:\n  data=..." in fail()
    assert not list(tmp_path.iterdir())


def test_a_failure_ends_with_one_message_and_exit_code_2(fail: Run, server: str) -> None:
    error = fail("data=isic2018", f"server={server}")
    assert error.strip().count("\n") == 0
    assert f"{server}/2018/ISIC2018_Task1-2_Training_Input.zip: the server answers 404" in error


def test_archives_are_unpacked_and_what_is_missing_is_counted(fail: Run, tmp_path: Path, server: str) -> None:
    error = fail("data=isic2016", f"server={server}")
    assert "train: found 1 pairs, expected 900" in error
    assert "test: found 1 pairs, expected 379" in error
    found = {path for path in (tmp_path / "data" / "isic2016").iterdir() if not path.name.startswith(".")}
    assert {path.name for path in found} == set(FILES)
    assert {path.name for path in tmp_path.iterdir()} == {"data"}  # no run folder


def test_help_lists_sources_and_needs_no_torch(tmp_path: Path) -> None:
    code = (
        "import sys; sys.argv = ['x', '--help']\n"
        "from lesionseg.download import main\n"
        "try:\n    main()\nfinally:\n    assert not {'torch', 'requests'} & sys.modules.keys()"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "isic2018" in done.stdout
    assert not list(tmp_path.iterdir())
