"""Control groups are found where cgroups(7) puts them, in either version and also within containers."""

from pathlib import Path

import pytest

from lesionseg.system.cgroup import cgroup_folders, read_number


def make(root: Path, own: str, folders: list[str]) -> Path:
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/self/cgroup").write_text(own)
    for folder in folders:
        (root / "sys/fs/cgroup" / folder).mkdir(parents=True, exist_ok=True)
    return root


def found(root: Path, controller: str = "memory") -> list[str]:
    return [str(path.relative_to(root / "sys/fs/cgroup")) for path in cgroup_folders(controller, root)]


def test_version_2_is_one_tree_for_all_controllers(tmp_path: Path) -> None:
    assert found(make(tmp_path, "0::/user.slice/job_1\n", ["user.slice/job_1", "other"])) == [
        "user.slice/job_1",
        "user.slice",
        ".",
    ]


@pytest.mark.parametrize(("controller", "folders"), [("memory", {"memory/a", "memory"}), ("cpu", {"cpu/b", "cpu"})])
def test_version_1_has_a_tree_for_each_controller(tmp_path: Path, controller: str, folders: set[str]) -> None:
    own = "5:memory:/a\n3:cpu,cpuacct:/b\n1:name=systemd:/c\n"
    assert set(found(make(tmp_path, own, ["memory/a", "cpu/b", "pids/a"]), controller)) - {"."} == folders


def test_both_versions_may_be_there_side_by_side(tmp_path: Path) -> None:
    root = make(tmp_path, "4:memory:/a\n0::/b\n", ["memory/a", "unified/b"])
    assert {"memory/a", "unified/b"} <= set(found(root))


def test_in_a_container_the_hosts_path_leads_nowhere_but_the_top_is_its_own(tmp_path: Path) -> None:
    assert found(make(tmp_path, "0::/docker/3f2a\n", ["."])) == ["."]


@pytest.mark.parametrize("own", ["", "garbage\n", "0::\n"])
def test_odd_lines_are_passed_over(tmp_path: Path, own: str) -> None:
    assert set(found(make(tmp_path, own, ["a"]))) <= {"."}


def test_other_systems_have_none(tmp_path: Path) -> None:
    assert cgroup_folders("cpu", tmp_path) == []


@pytest.mark.parametrize(("text", "number"), [("12\n", 12), ("-1\n", -1), ("max\n", None), ("", None)])
def test_a_number_or_no_limit_is_read(tmp_path: Path, text: str, number: int | None) -> None:
    (tmp_path / "limit").write_text(text)
    assert read_number(tmp_path / "limit") == number
    assert read_number(tmp_path / "gone") is None
