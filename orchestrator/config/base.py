"""What the tables of ``environments.toml`` are made of."""

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from orchestrator.config.template import parse

Scalar = str | int | float | bool

# Checked with all other names, so that one bad name does not hide what is wrong under it.
Name = Annotated[
    str, WithJsonSchema({"type": "string", "pattern": "^[A-Za-z0-9_][A-Za-z0-9_.-]*$"})
]
Flag = Annotated[bool, Field(strict=True)]
Count = Annotated[int, Field(strict=True, ge=0)]
Limit = Annotated[int, Field(strict=True, gt=0)]
Text = Annotated[str, Field(min_length=1)]


def _is_template(text: str) -> str:
    parse(text)
    return text


TemplateText = Annotated[str, AfterValidator(_is_template)]


def _is_scalar(value: Any) -> Any:
    if not isinstance(value, Scalar):
        raise ValueError("a label is text, a number, true or false")
    return value


LabelValue = Annotated[Scalar, BeforeValidator(_is_scalar)]


class Model(BaseModel):
    """What every table of the file has in common."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)
