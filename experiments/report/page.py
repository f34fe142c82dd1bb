"""One HTML page of tables, pictures and texts, which refers to nothing outside itself; whatever it shows is escaped."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from matplotlib.figure import Figure

from experiments.figures.style import encode

TEMPLATE = "report.html"


@dataclass(frozen=True)
class PageTable:
    """A table of texts; the first `num_left` columns are names, the others numbers."""

    name: str
    header: list[str]
    rows: list[list[str]]
    num_left: int
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Picture:
    """A figure with its name and what is to be seen in it."""

    name: str
    caption: str
    figure: Figure

    @property
    def png(self) -> str:
        """The figure as a PNG file in base64."""
        return base64.b64encode(encode(self.figure, "png")).decode()


@dataclass(frozen=True)
class Command:
    """What repeats the runs of a method."""

    method: str
    line: str


@dataclass(frozen=True)
class NetworkPart:
    """The pictures of one network."""

    name: str
    note: str
    figures: list[Picture]


@dataclass(frozen=True)
class RunPart:
    """One run; `command` and `config` are None where they are not known."""

    name: str
    outcome: str
    details: str
    command: str | None
    config: str | None


def render(contents: Mapping[str, object]) -> str:
    """Returns the page.

    Args:
        contents: `title`, `made`, `warnings` (texts), `methods` and `software` (`PageTable`), `commands`
            (`Command`), `scores` (`PageTable`), `figures` (`Picture`), `networks` (`NetworkPart`), `runs` (`RunPart`).
    """
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined
    )
    return environment.get_template(TEMPLATE).render(contents)
