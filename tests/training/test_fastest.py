"""Which way to compute is the fastest, by a clock that a test moves."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from gantk.run.chosen import Computing
from gantk.training.fastest import BUDGET, FEWEST, ROUNDS, WARM_UP, faster, times

PLAIN, LAST = Computing(), Computing("32-true", "channels_last")
HALF = Computing("bf16-mixed", "contiguous")
WAYS = (PLAIN, LAST, HALF)


class Machine:
    """Steps that take the seconds that a test chooses, by the way and the round."""

    def __init__(self, seconds: Callable[[Computing, int], float]) -> None:
        self.now, self.seconds = 0.0, seconds
        self.prepared: list[Computing] = []
        self.played: list[Computing] = []

    def prepare(self, way: Computing) -> Callable[[], None]:
        self.prepared.append(way)
        self.now += 1000  # is not measured

        def play() -> None:
            self.now += self.seconds(way, self.played.count(way))
            self.played.append(way)

        return play

    def times(self, rounds: int = WARM_UP + ROUNDS) -> dict[Computing, list[float]]:
        return times(WAYS, self.prepare, lambda: self.now, rounds=rounds)


def test_ways_take_turns_and_their_first_steps_are_not_counted() -> None:
    machine = Machine(lambda way, number: 0.3 if number < WARM_UP else {PLAIN: 0.2, LAST: 0.1, HALF: 0.25}[way])
    expected = {PLAIN: 0.2, LAST: 0.1, HALF: 0.25}
    assert machine.times() == {way: pytest.approx([seconds] * ROUNDS) for way, seconds in expected.items()}
    assert machine.played == [*WAYS] * (WARM_UP + ROUNDS)
    assert machine.prepared == machine.played


def test_a_way_that_is_far_too_slow_is_not_measured_further() -> None:
    machine = Machine(lambda way, number: {PLAIN: 0.2, LAST: 0.29, HALF: 0.31}[way])
    assert set(machine.times()) == {PLAIN, LAST}
    assert machine.played.count(HALF) == WARM_UP


def test_a_way_that_fails_is_left_out() -> None:
    def seconds(way: Computing, number: int) -> float:
        if way == HALF and number == 3:
            raise RuntimeError("not implemented for 'BFloat16'")
        return 0.2

    machine = Machine(seconds)
    assert set(machine.times()) == {PLAIN, LAST}


def test_what_plain_float32_raises_is_raised() -> None:
    def seconds(way: Computing, number: int) -> float:
        raise ValueError("neighbors")

    with pytest.raises(ValueError, match="neighbors"):
        Machine(seconds).times()


def test_long_steps_are_measured_less_often() -> None:
    machine = Machine(lambda way, number: BUDGET)
    assert machine.times() == dict.fromkeys(WAYS, [BUDGET] * FEWEST)
    assert machine.played == [*WAYS] * (1 + FEWEST)


def test_a_guess_needs_two_steps() -> None:
    machine = Machine(lambda way, number: 9.0 if number == 0 else 0.2)
    assert machine.times(rounds=2) == {way: pytest.approx([0.2]) for way in WAYS}


@pytest.mark.parametrize(
    ("last", "half", "expected"),
    [(0.10, 0.05, [HALF, LAST]), (0.10, 0.19, [LAST]), (0.19, 0.183, []), (0.3, 0.1818, [HALF])],
)
def test_only_what_is_clearly_faster_is_taken(last: float, half: float, expected: list[Computing]) -> None:
    assert faster({PLAIN: [0.2] * 5, LAST: [last] * 5, HALF: [half] * 5}) == expected
    assert faster({PLAIN: [0.2]}) == []


@pytest.mark.parametrize(
    ("plain", "last", "expected"),
    [
        ([0.2, 0.2, 0.9, 0.2, 0.2], [0.1, 0.1, 0.1, 0.8, 0.1], [LAST]),
        ([0.2, 0.9, 0.9, 0.9, 0.2], [0.3, 0.1, 0.1, 0.1, 0.3], []),
        ([0.2, 0.2, 0.2], [0.1, 0.1, 0.1], [LAST]),
        ([0.9, 0.2, 0.9], [0.1, 0.3, 0.1], []),
    ],
)
def test_it_must_be_faster_in_almost_every_round(
    plain: list[float], last: list[float], expected: list[Computing]
) -> None:
    """Other programs disturb both."""
    assert faster({PLAIN: plain, LAST: last}) == expected
