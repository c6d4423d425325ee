"""Settings and names. A setting is declared once, as a field of a dataclass made by `setting`: its type, default, range
and a line of help. The checks, the command line, `-h`, saved files and the lists of what there is all come from it.

Rules and problems are known by name to saved files and to the command line; `register` adds one from outside.
"""

import dataclasses
import math
import numbers
import os
import re
import sys
from pathlib import Path
from reprlib import repr  # of something long it shows the beginning
from types import NoneType
from typing import Any, ClassVar, get_args, get_origin, get_type_hints

from l2l.errors import L2LError

OPTIMIZERS, PROBLEMS = {}, {}  # {name: class}, filled by their packages and by `register`
MOST = 1_000_000  # steps, episodes, tasks: more would take weeks, and lists of them fill the memory
MOST_SEED = 2**63
KINDS = {bool: "true or false", int: "a whole number", float: "a number", Path: "the name of a file or folder"}


class UnknownName(L2LError):
    """A file names a rule or a problem of a module that is not imported."""


# ------------------------------------------------------------------------------------------ settings


def setting(default, help, **limits) -> Any:
    """A field of a dataclass. limits: `least` and `most`, which are allowed; `above` and `below`, which are not; the
    `choices` of a text. A number without any is finite. The default `dict` stands for members {name: thing} of the
    class's own kind; with `dataclasses.MISSING` there is no default."""
    metadata = {"help": help, "limits": limits}
    if default is dict:
        return dataclasses.field(default_factory=dict, metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


class Checked:
    """Base of a dataclass: its values become what the annotations say. Raises what `convert` does."""

    __dataclass_fields__: ClassVar[dict[str, Any]]  # @dataclass gives it to the subclass

    def __post_init__(self):
        types = get_type_hints(type(self))
        for field in dataclasses.fields(self):
            if not _holds_members(field):
                object.__setattr__(self, field.name, convert(field, types[field.name], getattr(self, field.name)))


def convert(field, annotation, value):
    """value, from Python, a file or a command line, as the annotation of a field says: a text becomes a number, true or
    false, a path, or a tuple, written 20-20 or 20,20; "none" is None where that is allowed.

    Raises L2LError, saying what the setting takes, where value is of another kind or out of range.
    """
    kind, several, optional = _kind(annotation)
    if optional and (value is None or (isinstance(value, str) and value == "none")):
        return None
    try:
        given = value.split("," if "," in value else "-") if several and isinstance(value, str) else value
        given = given if several and isinstance(given, (tuple, list)) else [given]
        items = tuple(_one(kind, item) for item in given)
    except (KeyError, TypeError, ValueError, OverflowError):
        example = f", or several, as in {'20-20' if kind is int else '1,0.5'}" if several else ""
        raise L2LError(f"{field.name} is {KINDS[kind]}{example}, not {repr(value)}") from None
    for was, item in zip(given, items, strict=True) if "limits" in field.metadata else ():
        if wanted := _out_of_range(kind, item, **field.metadata["limits"]):
            raise L2LError(f"{field.name} is {wanted}, not {repr(was)}")
    return items if several else items[0]


def _kind(annotation):
    """Of an annotation: the kind of one value, whether there are several in a tuple, and whether None is allowed."""
    inner = get_args(annotation)
    if NoneType in inner:
        return (*_kind(next(kind for kind in inner if kind is not NoneType))[:2], True)
    if annotation is tuple or get_origin(annotation) is tuple:
        return inner[0] if inner else object, True, False
    return annotation, False, False


def _one(kind, value):
    if kind is bool:
        return {"true": True, "false": False}[str(value).lower()]
    if kind in (int, float):
        return _number(kind, value)
    if kind is Path and (not os.fsencode(value) or "\0" in str(value)):
        raise ValueError
    return kind(value) if kind in (str, Path) else value


def _number(kind, value: str | float):
    if isinstance(value, bool) or not isinstance(value, (str, numbers.Real)):
        raise TypeError
    if kind is int and not isinstance(value, str) and int(value) != value:
        raise ValueError
    return kind(value)


def _out_of_range(kind, value, least=None, most=None, above=None, below=None, choices=()):
    """What a value should have been, or None where it is in range."""
    if choices and value not in choices:
        return " or ".join(choices)
    if kind is float and not (-math.inf if above is None else above) < value < (math.inf if below is None else below):
        number = "a positive number" if below is None else f"a number between {above} and {below}"
        return "a finite number" if above is None else number
    if least is not None and value < least:
        return f"{KINDS[kind]} of at least {least:,}"
    return f"{KINDS[kind]} of at most {most:,}" if most is not None and value > most else None


def whole(least=1, most=MOST, **values: int):
    """Raises L2LError for the first of the values that is not a whole number from `least` to `most`."""
    for name, value in values.items():
        if isinstance(value, bool) or not isinstance(value, numbers.Integral) or value < least:
            raise L2LError(f"{name} is a whole number of at least {least}, not {value!r}")
        if value > most:
            raise L2LError(f"{name} is a whole number of at most {most:,}, not {value!r}")


def about(field):
    """A setting's line of help, with its choices, its largest value and its default."""
    limits, default = field.metadata.get("limits", {}), field.default
    facts = [" or ".join(limits["choices"])] if "choices" in limits else []
    if limits.get("most", MOST) < MOST:
        facts.append(f"at most {limits['most']:,}")
    if not any(default is nothing for nothing in (None, False, dataclasses.MISSING)):
        facts.append(f"default {'-'.join(map(str, default)) if isinstance(default, tuple) else default}")
    return " ".join([field.metadata.get("help", ""), f"({'; '.join(facts)})" if facts else ""]).strip()


# ------------------------------------------------------------------------------------------ names


def register(name, cls):
    """Let `make_optimizer` or `make_problem`, saved files and the command line know cls by this name.

    cls: a frozen dataclass all of whose fields have defaults. With a method `sample` it is a problem, with `init_state`
    a rule. A saved file names the module of cls: import that, or pass --import MODULE, before the file is loaded.
    Raises L2LError where cls is neither, or the name cannot be one or belongs to another class.
    """
    if not (isinstance(cls, type) and dataclasses.is_dataclass(cls)):
        raise L2LError(f"{cls!r} is no dataclass: decorate its class with @dataclass(frozen=True)")
    if not (hasattr(cls, "sample") or hasattr(cls, "init_state")):
        raise L2LError(f"{cls.__name__} has neither `sample`, as problems have, nor `init_state`, as rules have")
    if hasattr(cls, "sample") and not hasattr(cls, "data"):
        raise L2LError(f"{cls.__name__} has no `data`: give it a line that says what the problem is made of")
    for field in dataclasses.fields(cls):
        if field.default is field.default_factory:
            raise L2LError(f"the field {field.name!r} of {cls.__name__} has no default: give it one")
    if not isinstance(name, str) or not re.fullmatch(r"[^\W\d][\w-]*", name):
        raise L2LError(f"{name!r} cannot be a name: use letters, digits, - and _")
    registry = PROBLEMS if hasattr(cls, "sample") else OPTIMIZERS
    there = registry.get(name, cls)
    if (there.__module__, there.__qualname__) != (cls.__module__, cls.__qualname__):  # a notebook's cell may run again
        raise L2LError(f"{name!r} is the name of {there.__module__}.{there.__qualname__}: choose another one")
    registry[name] = cls


def name_in(registry, thing):
    """The name that the registry has for the class of thing; MODULE:NAME where that is not one of l2l's. Raises
    L2LError where there is none."""
    name, cls = next((name for name, cls in registry.items() if cls is type(thing)), None), type(thing)
    if name is None:
        raise L2LError(f"a {cls.__name__} cannot be saved, for it has no name: call l2l.register(NAME, {cls.__name__})")
    script = getattr(sys.modules["__main__"], "__file__", None) if cls.__module__ == "__main__" else None
    module = Path(script).stem if script else cls.__module__
    return name if module.split(".")[0] == "l2l" else f"{module}:{name}"


def build(kind, registry, name, settings):
    """registry[name](**settings), with every value converted to what its field is annotated with. The setting "preset",
    where the class has presets, fills in the others. A field that is a dict holds members {name: thing}, made by the
    same registry.

    Raises L2LError, naming what there is, for an unknown name, preset or setting, or a value of the wrong kind.
    """
    module, _, name = name.rpartition(":") if isinstance(name, str) else ("", "", name)
    if not isinstance(name, str) or name not in registry:
        if module:
            raise UnknownName(f"it needs the {kind} {name!r}: `import {module}` first, or pass --import {module}")
        raise L2LError(f"there is no {kind} {name!r}; choose from: {', '.join(registry)}")
    settings, presets = dict(settings), getattr(registry[name], "presets", {})
    preset = settings.pop("preset", None)
    if preset is not None:
        if not isinstance(preset, str) or preset not in presets:
            raise L2LError(f"{kind} {name!r} has no preset {preset!r}; it has: {', '.join(presets) or 'none'}")
        settings = {**presets[preset], **settings}
    fields, types = {field.name: field for field in dataclasses.fields(registry[name])}, get_type_hints(registry[name])
    for key, value in settings.items():
        if key not in fields:
            raise L2LError(f"{kind} {name!r} has no option {key!r}; it has: {', '.join(fields) or 'none'}")
        nested = _holds_members(fields[key])
        settings[key] = _members(kind, registry, key, value) if nested else convert(fields[key], types[key], value)
    return registry[name](**settings)


def settings_of(registry, thing):
    """The settings that `build` makes thing from, as JSON can hold them."""
    settings = {field.name: getattr(thing, field.name) for field in dataclasses.fields(thing)}
    for field in filter(_holds_members, dataclasses.fields(thing)):
        members = settings[field.name].items()
        settings[field.name] = {key: {"name": name_in(registry, m), **settings_of(registry, m)} for key, m in members}
    return settings


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
        pairs = [(name, text) for name, _, text in (item.partition("=") for item in value.split(","))]
        if len(dict(pairs)) < len(pairs):
            raise L2LError(f"{option} has a name twice in {repr(value)}: give each {kind} one of its own")
        value = {name: parse(kind, text) for name, text in pairs}
    if not isinstance(value, dict):
        raise L2LError(f"{option} is a dict of names and {kind}s, not {repr(value)}")
    members = {}
    for name, item in value.items():
        if isinstance(item, dict) and "name" in item:
            item = item["name"], {key: item[key] for key in item if key != "name"}
        if isinstance(item, tuple) and len(item) == 2 and isinstance(item[1], dict):
            item = build(kind, registry, *item)
        if type(item) not in registry.values():
            raise L2LError(f"{option} is a dict of names and {kind}s, not {repr(item)} in it")
        members[str(name)] = item
    return members
