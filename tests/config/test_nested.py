from lesionseg.config.nested import flat


def test_nested_names_are_joined() -> None:
    settings = {"seed": 0, "model": {"depth": 4, "head": {"kernel": None}}}
    assert flat(settings) == {"seed": 0, "model.depth": 4, "model.head.kernel": None}
    assert flat(settings, "/")["model/head/kernel"] is None
