"""What the tables of ``environments.toml`` are made of."""

from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    WithJsonSchema,
)

from orchestrator.config.template import parse

Scalar = str | int | float | bool
TAG = "\0"
"""What union tags begin with in the locations of Pydantic's errors: no key of a file does."""

# Checked with all other names, so that one bad name does not hide what is wrong under it.
Name = Annotated[
    str, WithJsonSchema({"type": "string", "pattern": "^[A-Za-z0-9_][A-Za-z0-9_.-]*$"})
]
Flag = Annotated[bool, Field(strict=True)]
Count = Annotated[int, Field(strict=True, ge=0)]
Limit = Annotated[int, Field(strict=True, gt=0)]


def _without_nul(text: str) -> str:
    if "\0" in text:
        raise ValueError("there is a NUL character in it, which no path, name or URL can have")
    return text


Text = Annotated[str, Field(min_length=1), AfterValidator(_without_nul)]


def _is_template(text: str) -> str:
    parse(_without_nul(text))
    return text


TemplateText = Annotated[str, AfterValidator(_is_template)]
Reference = Annotated[str, StringConstraints(pattern=r"^[\w.]+:[\w.]+$")]
"""``package.module:name``."""


def _is_scalar(value: Any) -> Any:
    if not isinstance(value, Scalar):
        raise ValueError("a label is text, a number, true or false")
    return _without_nul(value) if isinstance(value, str) else value


def _is_argument(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, Scalar):
        if value is True:
            return value
        raise ValueError("an argument is text, a number, or true for a key alone")
    return _is_template(str(value))


Argument = Annotated[str | bool, BeforeValidator(_is_argument)]
LabelValue = Annotated[Scalar, BeforeValidator(_is_scalar)]


class Model(BaseModel):
    """What every table of the file has in common."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)
