import pytest

from lesionseg.benchmarking.timing import Row, Speed, Spread, Work, measure, paired_ratio, spread_of


class Bench:
    """A clock that only works move on, and a list of what they did."""

    def __init__(self) -> None:
        self.now = 0.0
        self.done: list[str] = []

    def clock(self) -> float:
        return self.now

    def work(self, name: str, *, images: int, seconds: float, before: float = 0.0, finish: float = 0.0) -> Work:
        def step(what: str, duration: float) -> None:
            self.now += duration
            self.done.append(f"{what} {name}")

        return Work(
            Row("inference", name, "mine", ""),
            images,
            lambda: step("call", seconds),
            before=lambda: step("before", before),
            finish=lambda: step("finish", finish),
        )


def test_speed_is_images_by_seconds_of_every_round() -> None:
    bench = Bench()
    (found,) = measure([bench.work("a", images=8, seconds=0.5)], rounds=3, seconds=0.1, clock=bench.clock)
    assert found.rates == [16.0, 16.0, 16.0]
    assert found.missing is None


def test_calls_are_as_many_as_take_the_time_asked_for() -> None:
    bench = Bench()
    measure([bench.work("a", images=1, seconds=0.25)], rounds=1, seconds=1.0, clock=bench.clock)
    assert bench.done.count("call a") == 1 + 1 + 4


def test_what_comes_before_is_off_the_clock_and_what_finishes_is_on_it() -> None:
    bench = Bench()
    work = bench.work("a", images=6, seconds=1.0, before=100.0, finish=2.0)
    (found,) = measure([work], rounds=1, seconds=1.0, clock=bench.clock)
    assert found.rates == [2.0]


def test_works_take_turns() -> None:
    bench = Bench()
    works = [bench.work(name, images=1, seconds=1.0) for name in "ab"]
    measure(works, rounds=2, seconds=1.0, clock=bench.clock)
    calls = [entry for entry in bench.done if entry.startswith("call")]
    assert calls[-4:] == ["call a", "call b", "call a", "call b"]


def test_what_cannot_be_measured_keeps_its_place() -> None:
    bench = Bench()
    absent = Speed(Row("inference", "compiled", "mine", ""), [], "no compiler")
    items = [bench.work("a", images=1, seconds=1.0), absent, bench.work("b", images=1, seconds=1.0)]
    found = measure(items, rounds=1, seconds=1.0, clock=bench.clock)
    assert [speed.row.way for speed in found] == ["a", "compiled", "b"]
    assert found[1] is absent


@pytest.mark.parametrize(
    ("values", "spread"),
    [
        ([5.0, 1.0, 4.0, 2.0, 3.0], Spread(3.0, 2.0, 4.0)),
        ([4.0, 1.0, 3.0, 2.0], Spread(2.5, 1.75, 3.25)),
        ([7.0], Spread(7.0, 7.0, 7.0)),
    ],
)
def test_median_and_quartiles_are_those_of_hand(values: list[float], spread: Spread) -> None:
    assert spread_of(values) == spread


def test_a_round_that_was_slow_for_both_does_not_change_their_ratio() -> None:
    assert paired_ratio([10.0, 1.0, 9.0], [5.0, 0.5, 1.0]) == 2.0
