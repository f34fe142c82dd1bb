"""The HTML page of a report: tables, pictures and texts.

The page refers to nothing outside itself, and every text is escaped.
"""

import base64
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from matplotlib.figure import Figure

from experiments.analysis.text_table import TextTable
from experiments.figures.style import encode

TEMPLATE = "report.html"


@dataclass(frozen=True)
class Picture:
    """A figure on the page.

    Attributes:
        name: Its name.
        caption: What can be seen in it.
        figure: The figure itself.
    """

    name: str
    caption: str
    figure: Figure

    @property
    def png(self) -> str:
        """The figure as a PNG file in base64."""
        return base64.b64encode(encode(self.figure, "png")).decode()


@dataclass(frozen=True)
class Video:
    """A film of a run on the page.

    Attributes:
        run: Name of the run.
        caption: What it shows.
        media_type: What the file is, such as "video/mp4".
        content: The contents of the file.
    """

    run: str
    caption: str
    media_type: str
    content: bytes

    @property
    def is_image(self) -> bool:
        """Whether a page shows it as a picture that moves by itself."""
        return self.media_type.startswith("image/")

    @property
    def base64(self) -> str:
        """The contents in base64."""
        return base64.b64encode(self.content).decode()


@dataclass(frozen=True)
class Command:
    """A command line that repeats runs.

    Attributes:
        method: The method and environment of the runs.
        line: The command line.
    """

    method: str
    line: str


@dataclass(frozen=True)
class NetworkSection:
    """The part of the page about one network.

    Attributes:
        name: Which network it is.
        note: Its size, and how it acted.
        figures: Its pictures.
    """

    name: str
    note: str
    figures: list[Picture]


@dataclass(frozen=True)
class RunSection:
    """The part of the page about one run.

    Attributes:
        name: Its folder.
        outcome: How far it came, in one line.
        details: Further facts, in one line.
        command: The command line that repeats it; None where there is none.
        config: Its config.yaml; None for a run from a CSV file.
    """

    name: str
    outcome: str
    details: str
    command: str | None
    config: str | None


@dataclass(frozen=True)
class Contents:
    """Everything that is on the page.

    Attributes:
        title: The title.
        made: When and with which version the page was made.
        warnings: What a reader of the numbers must know.
        methods: Which methods were run.
        commands: Command lines that repeat them.
        software: Versions that they were run with.
        scores: The comparison of the methods.
        figures: Pictures of it.
        videos: Films of runs.
        networks: The networks that are drawn.
        runs: All runs.
    """

    title: str
    made: str
    warnings: list[str]
    methods: TextTable
    commands: list[Command]
    software: TextTable
    scores: TextTable
    figures: list[Picture]
    videos: list[Video]
    networks: list[NetworkSection]
    runs: list[RunSection]


def render(contents: Contents) -> str:
    """Returns the page as HTML."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined
    )
    return environment.get_template(TEMPLATE).render(vars(contents))
