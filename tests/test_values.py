"""Value classes behave as the standard library's dataclasses do."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from dataclasses import field, replace
from typing import Any

import pytest

from ppl.values import dataclass


@dataclass(frozen=True, slots=True)
class Ours:
    """Frozen, compared by all fields but one, and with one that nobody gives."""

    a: int
    b: tuple[int, ...] = (1,)
    c: list[int] = field(default_factory=list, compare=False)
    d: dict[str, int] = field(default_factory=dict, init=False, repr=False, compare=False)


@dataclasses.dataclass(frozen=True, slots=True)
class Theirs:
    a: int
    b: tuple[int, ...] = (1,)
    c: list[int] = field(default_factory=list, compare=False)
    d: dict[str, int] = field(default_factory=dict, init=False, repr=False, compare=False)


@dataclass(slots=True)
class Open:
    a: int
    b: int = 2


@dataclass(frozen=True, slots=True, eq=False)
class Own:
    """With methods of its own, compared by identity."""

    text: str
    length: int = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "length", len(self.text))

    def __repr__(self) -> str:
        return self.text


@pytest.mark.parametrize("given", [((1,), {}), ((1, (2, 3), [4]), {}), ((), {"a": 1, "c": [5]}), ((7,), {"b": ()})])
def test_made_shown_and_compared_as_the_standard_library_does(given: tuple[tuple[Any, ...], dict[str, Any]]) -> None:
    values, named = given
    ours, theirs = Ours(*values, **named), Theirs(*values, **named)
    assert repr(ours).replace("Ours", "Theirs") == repr(theirs)
    assert dataclasses.asdict(ours) == dataclasses.asdict(theirs)
    assert ours == Ours(*values, **named) and hash(ours) == hash(Ours(*values, **named))
    assert (ours == replace(ours, a=-1)) is (theirs == replace(theirs, a=-1)) is False
    assert (ours == replace(ours, c=[9])) is (theirs == replace(theirs, c=[9])) is True
    assert ours != theirs
    for again in (pickle.loads(pickle.dumps(ours)), copy.copy(ours), copy.deepcopy(ours)):
        assert again == ours and again.d == {} and again.c == ours.c


def test_defaults_are_made_anew() -> None:
    assert Ours(1).c is not Ours(1).c and Ours(1).d is not Ours(1).d


@pytest.mark.parametrize("given", [((), {}), ((1, (), [], {}), {}), ((1,), {"a": 2}), ((1,), {"z": 2})])
def test_wrong_arguments(given: tuple[tuple[Any, ...], dict[str, Any]]) -> None:
    for cls in (Ours, Theirs):
        with pytest.raises(TypeError):
            cls(*given[0], **given[1])


def test_frozen_and_slots() -> None:
    for change in (lambda: setattr(Ours(1), "a", 2), lambda: setattr(Ours(1), "z", 2), lambda: delattr(Ours(1), "a")):
        with pytest.raises(dataclasses.FrozenInstanceError):
            change()
    changed = Open(1)
    changed.a = 5
    assert changed == Open(5) and not hasattr(changed, "__dict__")
    with pytest.raises(TypeError):
        hash(changed)


def test_own_methods_stay() -> None:
    one = Own("abc")
    assert one.length == 3 and repr(one) == "abc" and one == one and one != Own("abc")


def test_matched_by_position() -> None:
    match Ours(3):
        case Ours(a, b):
            assert (a, b) == (3, (1,))
