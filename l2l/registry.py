"""Problems and optimizers are dataclasses whose fields are their options: one place reads, checks and lists them."""

import dataclasses
import math
import numbers
from reprlib import repr  # of something long it shows the beginning
from typing import get_args, get_origin, get_type_hints

from l2l.errors import L2LError

MOST = 1_000_000  # steps, episodes, tasks: more would take weeks, and lists of them fill the memory
MOST_SEED = 2**63


def whole(least=1, most=MOST, **values):
    """Raises L2LError for the first of the values that is not a whole number from `least` to `most`."""
    for name, value in values.items():
        if isinstance(value, bool) or not isinstance(value, numbers.Integral) or value < least:
            raise L2LError(f"{name} is a whole number of at least {least}, not {value!r}")
        if value > most:
            raise L2LError(f"{name} is a whole number of at most {most:,}, not {value!r}")


def positive(**values):
    """Raises L2LError for the first of the values that is not a positive, finite number."""
    for name, value in values.items():
        if isinstance(value, bool) or not isinstance(value, numbers.Real) or not 0 < value < math.inf:
            raise L2LError(f"{name} is a positive number, not {value!r}")


def fraction(**values):
    """Raises L2LError for the first of the values that is not a number between 0 and 1, these excluded."""
    for name, value in values.items():
        if isinstance(value, bool) or not isinstance(value, numbers.Real) or not 0 < value < 1:
            raise L2LError(f"{name} is a number between 0 and 1, not {value!r}")


def build(kind, registry, name, settings):
    """registry[name](**settings), with every value converted to what its field is annotated with. The setting "preset",
    where the class has presets, fills in the others. A field that is a dict holds members {name: thing}, made by the
    same registry.

    Raises L2LError, naming what there is, for an unknown name, preset or setting, or a value of the wrong kind.
    """
    if not isinstance(name, str) or name not in registry:
        raise L2LError(f"there is no {kind} {name!r}; choose from: {', '.join(registry)}")
    settings, presets = dict(settings), getattr(registry[name], "presets", {})
    preset = settings.pop("preset", None)
    if preset is not None:
        if not isinstance(preset, str) or preset not in presets:
            raise L2LError(f"{kind} {name!r} has no preset {preset!r}; it has: {', '.join(presets) or 'none'}")
        settings = {**presets[preset], **settings}
    fields = {field.name: field for field in dataclasses.fields(registry[name])}
    unknown = [key for key in settings if key not in fields]
    if unknown:
        raise L2LError(f"{kind} {name!r} has no option {unknown[0]!r}; it has: {', '.join(fields) or 'none'}")
    types = get_type_hints(registry[name])
    for key, value in settings.items():
        nested = _holds_members(fields[key])
        settings[key] = _members(kind, registry, key, value) if nested else convert(key, types[key], value)
    return registry[name](**settings)


def parse(kind, text):
    """The name and the settings in a text NAME or NAME:OPTION=VALUE:OPTION=VALUE, as `build` takes them."""
    name, *words = text.split(":")
    settings = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not equals:
            raise L2LError(f"{text!r}: {kind}s are written NAME or NAME:OPTION=VALUE, not with {word!r}")
        if key in settings:
            raise L2LError(f"{text!r} has an option twice: give each once")
        settings[key] = value
    return name, settings


def _holds_members(field):
    return field.default_factory is dict


def _members(kind, registry, option, value):
    """{name: thing} from things, from what `settings_of` made of them, or from a text NAME=THING,NAME=THING."""
    if isinstance(value, str):
        pairs = [item.partition("=")[::2] for item in value.split(",")]
        if len(dict(pairs)) < len(pairs):
            raise L2LError(f"option {option!r} has a name twice in {repr(value)}: give each {kind} one of its own")
        value = {name: parse(kind, text) for name, text in pairs}
    elif not isinstance(value, dict):
        raise L2LError(f"option {option!r} takes a dict of names and {kind}s, not {repr(value)}")
    return {str(name): _member(kind, registry, option, item) for name, item in value.items()}


def _member(kind, registry, option, item):
    if type(item) in registry.values():
        return item
    if isinstance(item, dict) and "name" in item:
        item = item["name"], {key: value for key, value in item.items() if key != "name"}
    if not (isinstance(item, tuple) and len(item) == 2 and isinstance(item[1], dict)):
        raise L2LError(f"option {option!r} takes a dict of names and {kind}s, not {repr(item)} in it")
    return build(kind, registry, *item)


def name_in(registry, thing):
    """The name that the registry has for the class of thing. Raises L2LError where there is none."""
    for name, cls in registry.items():
        if cls is type(thing):
            return name
    raise L2LError(f"a {type(thing).__name__} cannot be saved, for it has no name to load it by: {', '.join(registry)}")


def settings_of(registry, thing):
    """The settings that `build` makes thing from, as JSON can hold them."""
    settings = {field.name: getattr(thing, field.name) for field in dataclasses.fields(thing)}
    for field in filter(_holds_members, dataclasses.fields(thing)):
        members = settings[field.name].items()
        settings[field.name] = {key: {"name": name_in(registry, m), **settings_of(registry, m)} for key, m in members}
    return settings


def convert(name, kind, value):
    """value as the option `name` of this kind, which is its annotation: text from a command line or a file becomes a
    number, or a tuple, written 20-20 or 20,20. Its range is for the class to check, in __post_init__.

    Raises L2LError, saying what the option takes, where value is of another kind.
    """
    try:
        if (get_origin(kind) or kind) is not tuple:
            return _one(kind, value)
        items = value.split("," if "," in value else "-") if isinstance(value, str) else value
        return tuple(_one(_item(kind), item) for item in (items if isinstance(items, (tuple, list)) else [items]))
    except (KeyError, TypeError, ValueError, OverflowError):
        raise L2LError(f"option {name!r} takes {_wanted(kind)}, not {repr(value)}") from None


def _item(kind):
    """The kind of a tuple's items, tuple[int, ...]; any, where that is not said."""
    return get_args(kind)[0] if get_args(kind) else object


def _one(kind, value):
    if kind is str:
        return str(value)
    if kind is bool:
        return {"true": True, "false": False}[str(value).lower()]
    return _number(kind, value) if kind in (int, float) else value


def _number(kind, value):
    if isinstance(value, bool) or not isinstance(value, (str, numbers.Real)):
        raise TypeError
    number = kind(value)
    if kind is int and not isinstance(value, str) and number != value:
        raise ValueError
    return number


def _wanted(kind):
    several = get_origin(kind) is tuple
    kind = _item(kind) if several else kind
    words = {bool: "true or false", int: "a whole number", float: "a number"}[kind]
    return words + (f", or several, as in {'20-20' if kind is int else '1,0.5'}" if several else "")


def describe(cls):
    """An option a word: its name and default, such as "hidden=20-20"."""
    fields = dataclasses.fields(cls)
    return [f"{f.name}={'NAME=…,NAME=…' if _holds_members(f) else _show(f.default)}" for f in fields]


def _show(value):
    return "-".join(map(str, value)) if isinstance(value, tuple) else str(value)
