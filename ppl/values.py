"""class with annotated fields -> a dataclass with slots that costs little to define.

The standard library writes the text of five methods for each class and compiles it: 0.7 ms a class, and ppl has two
hundred. Here all classes share the functions below, which go by the names of the fields; `fields`, `replace` and
`asdict` of the standard library work as ever.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from operator import attrgetter
from typing import Any, TypeVar, dataclass_transform

T = TypeVar("T")


@dataclass_transform(field_specifiers=(dataclasses.field,))
def dataclass(*, frozen: bool = False, slots: bool = True, eq: bool = True) -> Callable[[type[T]], type[T]]:
    """As `dataclasses.dataclass`, for classes without bases; all have slots. Equal are those whose fields are."""

    def made(cls: type[T]) -> type[T]:
        own = set(vars(cls))
        cls.__doc__ = cls.__doc__ or cls.__name__  # the standard library would write a signature there
        new: Any = dataclasses.dataclass(init=False, repr=False, eq=False, slots=slots)(cls)
        methods: dict[str, Any] = {"__init__": _initialiser(new), "__repr__": _shown}
        if eq:
            methods |= {"__eq__": _equality(new), "__hash__": _hash(new) if frozen else None}
        if frozen:
            methods |= {
                "__setattr__": _refuse,
                "__delattr__": _refuse,
                "__getstate__": _state,
                "__setstate__": _restore,
            }
        for name, method in methods.items():
            if name not in own:
                setattr(new, name, method)
        return new

    return made


def _initialiser(cls: Any) -> Callable[..., None]:
    every = dataclasses.fields(cls)
    given = tuple(field.name for field in every if field.init)
    missing = dataclasses.MISSING
    fixed = {field.name: field.default for field in every if field.default is not missing}
    factories = {field.name: field.default_factory for field in every if field.default_factory is not missing}
    setters = {field.name: vars(cls)[field.name].__set__ for field in every}
    by_position = tuple(setters[name] for name in given)
    made = [field.name for field in every if not field.init and (field.name in fixed or field.name in factories)]
    after = getattr(cls, "__post_init__", None)
    simple = not made and after is None

    def default(name: str) -> Any:
        if name in fixed:
            return fixed[name]
        if name in factories:
            return factories[name]()
        raise TypeError(f"{cls.__name__} lacks {name}")

    def __init__(self: Any, *values: Any, **named: Any) -> None:  # noqa: N807
        if named or len(values) != len(given):
            if len(values) > len(given):
                raise TypeError(f"{cls.__name__} takes {len(given)} values, not {len(values)}")
            rest = given[len(values) :]
            values += tuple([named.pop(name) if name in named else default(name) for name in rest])
            if named:
                raise TypeError(f"{cls.__name__} has no field {', '.join(named)}, or it is given twice")
        for put, value in zip(by_position, values):  # noqa: B905  (as many, by now)
            put(self, value)
        if simple:
            return
        for name in made:
            setters[name](self, default(name))
        if after is not None:
            after(self)

    return __init__


def _compared(cls: Any) -> Callable[[Any], Any]:
    names = [field.name for field in dataclasses.fields(cls) if field.compare]
    return attrgetter(*names) if names else lambda value: ()


def _equality(cls: Any) -> Callable[[Any, Any], Any]:
    values = _compared(cls)

    def __eq__(self: Any, other: Any) -> Any:  # noqa: N807
        return values(self) == values(other) if other.__class__ is self.__class__ else NotImplemented

    return __eq__


def _hash(cls: Any) -> Callable[[Any], int]:
    values = _compared(cls)

    def __hash__(self: Any) -> int:  # noqa: N807
        return hash(values(self))

    return __hash__


def _shown(self: Any) -> str:
    shown = (f"{field.name}={getattr(self, field.name)!r}" for field in dataclasses.fields(self) if field.repr)
    return f"{self.__class__.__qualname__}({', '.join(shown)})"


def _refuse(self: Any, name: str, value: Any = None) -> None:
    raise dataclasses.FrozenInstanceError(f"cannot assign to or delete field {name!r}")


def _state(self: Any) -> list[Any]:
    return [getattr(self, field.name) for field in dataclasses.fields(self)]


def _restore(self: Any, state: list[Any]) -> None:
    for field, value in zip(dataclasses.fields(self), state, strict=True):
        object.__setattr__(self, field.name, value)
