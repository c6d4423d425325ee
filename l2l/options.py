"""Problems and optimizers are dataclasses whose fields are their options: one place reads, checks and lists them."""

import dataclasses

from l2l.errors import L2LError


def build(kind, registry, name, settings):
    """registry[name](**settings), with every value converted to its field's type.

    Raises L2LError, naming what there is, for an unknown name or setting, or a value of the wrong kind.
    """
    if name not in registry:
        raise L2LError(f"there is no {kind} {name!r}; choose from: {', '.join(registry)}")
    fields = {field.name: field for field in dataclasses.fields(registry[name])}
    unknown = [key for key in settings if key not in fields]
    if unknown:
        raise L2LError(f"{kind} {name!r} has no option {unknown[0]!r}; it has: {', '.join(fields) or 'none'}")
    return registry[name](**{key: convert(fields[key], value) for key, value in settings.items()})


_WANTED = {int: "a whole number", float: "a number", tuple: "whole numbers such as 20-20", bool: "true or false"}


def convert(field, value):
    """value as field's type: text from a command line or a file becomes a number, or a tuple written as 20-20."""
    kind = type(field.default)
    try:
        if kind is tuple:
            items = str(value).split("-") if isinstance(value, (str, int)) else value
            return tuple(int(item) for item in items)
        if kind is bool:
            return {"true": True, "false": False}[str(value).lower()]
        if kind is int and float(value) != int(value):
            raise ValueError
        return kind(value)
    except (KeyError, OverflowError, TypeError, ValueError):
        raise L2LError(f"option {field.name!r} takes {_WANTED[kind]}, not {value!r}") from None


def describe(cls):
    """An option a word: its name and default, such as "hidden=20-20"."""
    return [f"{f.name}={_show(f.default)}" for f in dataclasses.fields(cls)]


def _show(value):
    return "-".join(map(str, value)) if isinstance(value, tuple) else str(value)
