"""What the models say about a place in the file: which keys may be there, and an example."""

from collections.abc import Mapping
from types import UnionType
from typing import Annotated, Any, NamedTuple, Union, get_args, get_origin

from pydantic import BaseModel, Tag
from pydantic.fields import FieldInfo

from orchestrator.config.base import TAG
from orchestrator.config.models import Config
from orchestrator.config.problems import Path


class Found(NamedTuple):
    """The type at a place, and the field that has it."""

    type_: Any
    field: FieldInfo | None


def without_tags(location: Path) -> Path:
    """Return where in the file a Pydantic error is: its location less the tags of unions."""
    return tuple(key for key in location if not _is_tag(key))


def keys(location: Path) -> tuple[str, ...]:
    """Return the keys that the table at ``location`` may have; none where it is no model's."""
    type_ = _bare(_find(location).type_)
    if isinstance(type_, type) and issubclass(type_, BaseModel):
        return tuple(_key(name, field) for name, field in type_.model_fields.items())
    return ()


def example(location: Path) -> str | None:
    """Return an example of the key at ``location``, as a line of TOML."""
    field = _find(location).field
    if field is None or not field.examples:
        return None
    return f"{location[-1]} = {_toml(field.examples[0])}"


def _find(location: Path) -> Found:
    found = Found(Config, None)
    for key in location:
        found = _step(found, key)
    return found


def _step(found: Found, key: str | int) -> Found:
    type_ = _bare(found.type_)
    if _is_tag(key):
        return Found(_member(type_, key), found.field)
    if isinstance(type_, type) and issubclass(type_, BaseModel):
        fields = {_key(name, field): field for name, field in type_.model_fields.items()}
        field = fields.get(str(key))
        return Found(field and field.annotation, field)
    arguments = get_args(type_)
    if get_origin(type_) is Mapping or issubclass(get_origin(type_) or int, Mapping):
        return Found(arguments[1], None)
    return Found(arguments[0] if arguments else None, None)


def _bare(type_: Any) -> Any:
    """Return ``type_`` without annotations and without ``| None``."""
    while True:
        if get_origin(type_) is Annotated:
            type_ = get_args(type_)[0]
        elif get_origin(type_) in {Union, UnionType} and type(None) in get_args(type_):
            type_ = next(member for member in get_args(type_) if member is not type(None))
        else:
            return type_


def _member(union: Any, tag: str | int) -> Any:
    for member in get_args(union):
        if Tag(str(tag)) in getattr(member, "__metadata__", ()):
            return member
    return None


def _is_tag(key: str | int) -> bool:
    return isinstance(key, str) and key.startswith(TAG)


def _key(name: str, field: FieldInfo) -> str:
    return field.alias or name


def _toml(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_toml, value))}]"
    return f'"{value}"'
