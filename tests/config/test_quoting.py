import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf

from lesionseg.config.quoting import quoted


@pytest.mark.parametrize("word", ["a", "a b", "a=b", "it's", "back\\slash", "end\\", "\\'", "${x}", "[1,2]", "", "ä\t"])
def test_hydra_reads_back_every_character(word: str) -> None:
    (override,) = OverridesParser.create().parse_overrides([f"key={quoted(word)}"])
    assert OmegaConf.create({"key": override.value()}).key == word
