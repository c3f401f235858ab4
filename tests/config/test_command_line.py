"""Words of a command line are taken as they stand, and completed for what is resumed."""

import os
from pathlib import Path

import hydra
import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig, OmegaConf

from lesionseg.config.command_line import COMMAND, literal_words, note_command, quoted, value_of, with_folder
from lesionseg.config.schema import CONF, register_schemas
from lesionseg.errors import InputError

ODD = [
    "photos (1), a=b",
    "a,b",
    "[x]",
    "{a:b}",
    'it\'s "q"',
    "'q'",
    '"q"',
    "cost $5",
    "a${b",
    "ü ñ 日本",
    "-lead",
    "#h",
    "100%",
    "a*?[b]",
    "end/",
    " lead",
    "x: y",
    "1e3",
    "true",
    "007",
    "1_000",
    "epoch=3.ckpt",
    "back\\slash\\",
    "a\nb",
    "choice(a,b)",
    "NULL.png",
]
VERBS = {
    "predict": ["checkpoint", "input", "output", "probabilities", "overlays", "suffix"],
    "evaluate": ["checkpoint", "predictions", "truth", "images", "run_dir", "name", "evaluation.metadata"],
    "export": ["checkpoint", "output", "images", "licence", "intended_use"],
    "benchmark": ["checkpoint", "photographs", "run_dir", "data.cache_dir"],
    "check_data": ["data.root", "data.groups", "data.images", "data.masks", "data.cache_dir", "data.mask_suffix"],
    "train": ["run_dir", "resume", "name", "data.root", "data.split", "callbacks.checkpoint.folder"],
    "download": ["data.root"],
    "compare": ["run_dir"],
    "crossval": ["run_dir", "resume"],
}
FOLDER = {
    "check_data": ["data=folder"],
    "train": ["data=folder"],
    "download": ["data=isic2016"],
    "compare": ["runs=[a]"],
}


@pytest.fixture(scope="module", autouse=True)
def _hydra() -> None:
    register_schemas()


def composed(verb: str, words: list[str]) -> DictConfig:
    with hydra.initialize_config_dir(config_dir=str(CONF), version_base="1.3"):
        return hydra.compose(verb, overrides=[*FOLDER.get(verb, []), *words])


@pytest.mark.parametrize(("verb", "keys"), VERBS.items())
def test_the_rest_of_a_word_arrives_as_it_stands(verb: str, keys: list[str]) -> None:
    odd = "photos (1), a=b [x] {y} it's $5 #h 100% ü *?"
    cfg = composed(verb, literal_words([f"{key}={odd}" for key in keys]))
    assert {key: OmegaConf.select(cfg, key) for key in keys} == dict.fromkeys(keys, odd)


def arrives(words: list[str]) -> object:
    """Tells what Hydra and OmegaConf make of the one word that is left of a command line."""
    (word,) = words
    return OmegaConf.create({"input": value_of(word)}).input


@pytest.mark.parametrize("value", [value for value in ODD if value not in ("'q'", '"q"')])
def test_no_character_means_anything(value: str) -> None:
    assert arrives(literal_words([f"input={value}"])) == value


def test_a_sweep_of_a_combined_sources_root_is_found_by_its_last_name() -> None:
    cfg = composed("train", ["data=combined", *literal_words(["data.test.ph2.root=a (1), b"])])
    assert cfg.data.test.ph2.root == "a (1), b"


@pytest.mark.parametrize("value", [*ODD, "${name}", "\\(x\\)", "~"])
def test_what_exists_under_the_very_name_is_meant(value: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path(value).mkdir()
    assert arrives(literal_words([f"input={value}"])) == value


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("input='a, b'", "a, b"),
        ('input="a, b"', "a, b"),
        ("input=${output}/a", "OUT/a"),
        ("input=${output} (1), b", "OUT (1), b"),
        ("input=a\\ \\(1\\)", "a (1)"),
        ("probabilities=null", None),
    ],
)
def test_what_is_meant_for_hydra_keeps_its_meaning(word: str, meant: str | None) -> None:
    cfg = composed("predict", [*literal_words([word]), "output=OUT"])
    assert cfg[word.partition("=")[0]] == meant


def test_the_tilde_is_the_home_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ann")
    assert arrives(literal_words(["input=~/x y"])) == "/home/ann/x y"
    assert arrives(literal_words(["name=~/x y"])) == "~/x y"


@pytest.mark.parametrize("word", ["seed=1", "input=photos", "data.root=a/b.c-d", "~callbacks.ema", "-m", "a (1)", "x"])
def test_a_word_that_hydra_reads_as_it_stands_stays(word: str) -> None:
    assert literal_words([word]) == [word]


def test_rewriting_again_changes_nothing() -> None:
    once = literal_words([f"input={value}" for value in ODD])
    assert literal_words(once) == once


@pytest.mark.parametrize(
    ("word", "values"),
    [
        ("data.root=a,b", ["a", "b"]),
        ("data.root=a (1),b=c", ["a (1)", "b=c"]),
        ("data.root=choice(a,b)", ["a", "b"]),
        ("data.root='a,b',c", ["a,b", "c"]),
        ("data.root=1e3,2", ["1e3", "2"]),
        ("name=x (1),y", ["x (1)", "y"]),
        ("data.root=there, too,b", ["there, too", "b"]),
    ],
)
def test_commas_part_the_values_of_a_sweep(
    word: str, values: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from hydra.core.override_parser.overrides_parser import OverridesParser

    monkeypatch.chdir(tmp_path)
    Path("there, too").mkdir()
    (override,) = OverridesParser.create().parse_overrides(literal_words(["-m", word])[1:])
    parts = [OverridesParser.create().parse_override(f"k={one}") for one in override.sweep_string_iterator()]
    assert [str(part.value()) for part in parts] == values


def test_a_folder_for_the_sweep_itself_is_no_sweep() -> None:
    word = literal_words(["-m", "hydra.sweep.dir=sweeps, (1)"])[1]
    assert value_of(word) == "sweeps, (1)"


@pytest.mark.parametrize(
    ("word", "paths"),
    [
        ("checkpoints=[a.ckpt,b.ckpt]", ["a.ckpt", "b.ckpt"]),
        ("checkpoints=['a, b.ckpt',c]", ["a, b.ckpt", "c"]),
        ("checkpoints=[epoch=3.ckpt,b (1).ckpt]", ["epoch=3.ckpt", "b (1).ckpt"]),
        ("checkpoints=[x=1, there.ckpt,b.ckpt]", ["x=1, there.ckpt", "b.ckpt"]),
        ("checkpoints=a.ckpt,b.ckpt", ["a.ckpt", "b.ckpt"]),
        ("checkpoints=null", None),
    ],
)
def test_a_list_of_paths_is_parted_at_commas_that_are_in_no_name(
    word: str, paths: list[str] | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("x=1, there.ckpt").touch()
    assert composed("crossval", literal_words([word])).checkpoints == paths


@pytest.mark.parametrize("word", ["a", "a b", "a=b", "it's", "back\\slash", "end\\", "\\'", "${x}", "[1,2]", "", "ä\t"])
def test_hydra_reads_back_every_character(word: str) -> None:
    (override,) = OverridesParser.create().parse_overrides([f"key={quoted(word)}"])
    assert OmegaConf.create({"key": override.value()}).key == word


def read_by_hydra(words: list[str]) -> dict[str, object]:
    return {word.key_or_group: word.value() for word in OverridesParser.create().parse_overrides(words)}


@pytest.mark.parametrize("words", [[], ["seed=1"], ["resume=auto"], ["resume=null"], ["-m", "seed=1,2"]])
def test_other_command_lines_stay_as_they_are(words: list[str]) -> None:
    assert with_folder(words) == words


@pytest.mark.parametrize("folder", ["logs/train/1", "with space", "a=b,c", "it's [1]"])
def test_a_resumed_run_works_in_its_own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str) -> None:
    monkeypatch.chdir(tmp_path)
    Path(folder).mkdir(parents=True)
    Path(folder, "config.yaml").touch()
    words = with_folder(["resume=x".replace("x", folder)])
    assert read_by_hydra(words[1:]) == {"hydra.run.dir": folder, "hydra.output_subdir": None}


def test_a_folder_without_a_run_is_named_before_anything_is_made(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no run in"):
        with_folder([f"resume={tmp_path / 'nowhere'}"])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("place", ["checkpoints", "checkpoints/last.ckpt", "run.json"])
def test_a_place_in_a_runs_folder_names_the_run(tmp_path: Path, place: str) -> None:
    (tmp_path / "config.yaml").touch()
    with pytest.raises(InputError, match=f"give the run's folder, resume={tmp_path}$"):
        with_folder([f"resume={tmp_path / place}"])


@pytest.fixture
def sweep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    note_command(Path("logs/sweep") / COMMAND, ["-m", "seed=1,2", "hydra.sweep.dir=elsewhere"])
    return tmp_path / "work" / "logs" / "sweep"


def test_a_resumed_sweep_repeats_its_command_in_its_folder_from_where_it_was_given(
    sweep: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    words = with_folder(["-m", f"sweep.resume={sweep.relative_to(tmp_path)}"])
    assert words[:2] == ["-m", "seed=1,2"]
    assert read_by_hydra(words[2:]) == {"hydra.sweep.dir": str(sweep)}
    assert Path(os.getcwd()) == tmp_path / "work"


def test_the_first_command_of_a_sweep_is_the_one_that_counts(sweep: Path) -> None:
    note_command(sweep / COMMAND, ["-m", "seed=3"])
    assert "seed=1,2" in with_folder([f"sweep.resume={sweep}"])


def test_a_sweep_is_not_made_another(sweep: Path) -> None:
    with pytest.raises(InputError, match=r"take out seed=5"):
        with_folder(["-m", f"sweep.resume={sweep}", "seed=5"])


def test_a_folder_without_a_sweep_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no sweep"):
        with_folder([f"sweep.resume={tmp_path}"])


def test_a_damaged_note_is_named(sweep: Path) -> None:
    (sweep / "sweep.json").write_text("{")
    with pytest.raises(InputError, match="is damaged"):
        with_folder([f"sweep.resume={sweep}"])
