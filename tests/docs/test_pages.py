"""The pages: links lead somewhere, files that are named exist, programs are those that tests run, the site builds."""

import ast
import os
import re
import shlex
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
import yaml
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "experiments").rglob("*.md")])
NAMES = [str(page.relative_to(ROOT)) for page in PAGES]
LINK = re.compile(r"\]\(([^)\s]+)\)")
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SHOWN_FILE = re.compile(r"<!-- same as (\S+) -->\n```\w+\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NAMED_FILE = re.compile(r"`((?:native|envs|agents|ec_evotorch|experiments|tests|docs)/[\w./-]+\.\w+)`")
README_LINES = 130


def prose(page: Path) -> str:
    """Returns a page without its blocks of code."""
    return FENCE.sub("", page.read_text())


@cache
def anchors(page: Path) -> set[str]:
    """Returns the anchors that a site and GitHub make of the headings of a page."""
    headings = re.findall(r"^#+ (.*)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_pages_were_found():
    assert {"README.md", "docs/tutorial.md", "docs/how-to/own-agent.md", "experiments/results/README.md"} <= set(NAMES)


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_every_relative_link_leads_to_a_file_and_to_a_heading_in_it(page):
    broken = []
    for target in LINK.findall(prose(page)):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        linked = (page.parent / path).resolve() if path else page
        if not linked.exists() or (anchor and anchor not in anchors(linked)):
            broken.append(target)
    assert broken == []


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_every_file_that_is_named_exists(page):
    assert [name for name in NAMED_FILE.findall(page.read_text()) if not (ROOT / name).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_a_program_on_a_page_is_the_file_that_is_named_above_it(page):
    shown = SHOWN_FILE.findall(page.read_text())
    assert len(re.findall(r"^<!-- same as", page.read_text(), re.MULTILINE)) == len(shown)
    assert [name for name, text in shown if (ROOT / name).read_text() != text] == []


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_every_python_block_is_valid_and_every_yaml_block_is_too(page):
    for language, code in FENCE.findall(page.read_text()):
        if language == "python":
            ast.parse(code)
        elif language == "yaml":
            yaml.safe_load(code)


def test_every_page_is_in_the_navigation_of_the_site():
    navigation = yaml.safe_load((ROOT / "mkdocs.yml").read_text())["nav"]
    listed = set(re.findall(r"[\w/-]+\.md", str(navigation)))
    assert {name.removeprefix("docs/") for name in NAMES if name.startswith("docs/")} <= listed


def test_the_site_builds_without_a_warning(tmp_path):
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path / "site")]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}  # Material's notice about its successor
    built = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=environment)
    assert (built.returncode, built.stderr) == (0, "")
    reference = (tmp_path / "site" / "reference" / "python.html").read_text()
    assert "popsize" in reference  # the docstrings are in it
    results = (tmp_path / "site" / "RESULTS.html").read_text()
    assert "experiments/results/figures/longer.png" in results
    assert (tmp_path / "site" / "experiments" / "results" / "figures" / "longer.png").exists()


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_text().splitlines()) <= README_LINES


def test_the_returns_in_the_readme_are_those_of_the_results():
    results = (ROOT / "README.md").read_text().partition("## Results\n")[2].partition("\n## ")[0]
    returns = re.findall(r"\b(?:\d,\d{3}|\d{3})(?= (?:against|on)|[,.;)]| and)", results)
    assert {"1,567", "823", "3,036", "2,943", "1,988", "1,355"} <= set(returns)
    pages = "".join((ROOT / page).read_text() for page in ("RESULTS.md", "docs/measured/learning.md"))
    assert [number for number in returns if number not in pages] == []


def test_the_program_of_the_readme_runs():
    ((_, program),) = [block for block in FENCE.findall((ROOT / "README.md").read_text()) if block[0] == "python"]
    names: dict = {}
    assert program.count("run(300)") == program.count("num_episodes=100") == 1
    exec(program.replace("run(300)", "run(2)").replace("num_episodes=100", "num_episodes=1"), names)
    assert names["searcher"].step_count == 2


def test_the_citation_is_that_of_the_paper_and_of_this_version():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["cff-version"] == "1.2.0"
    assert {"message", "title", "authors"} <= set(citation)
    assert citation["preferred-citation"]["url"].endswith("2305.17650")
    assert citation["license"] in (ROOT / "pyproject.toml").read_text()
    version = re.search(r'__version__ = "(.*)"', (ROOT / "experiments" / "__init__.py").read_text())
    assert version is None or version.group(1) == citation["version"]


def test_the_film_of_the_readme_is_what_its_command_makes():
    readme, page = ((ROOT / name).read_text() for name in ("README.md", "docs/how-to/video.md"))
    words = shlex.split(re.search(r"<!-- (ec-evotorch video .*) -->", readme).group(1))
    given = dict(zip(words[3::2], words[4::2], strict=True))
    with Image.open(ROOT / given["-o"]) as film:
        assert film.size == (int(given["--width"]), int(given["--height"]))
        durations = [film.seek(number) or film.info["duration"] for number in range(film.n_frames)]
    frame = 1000 // int(given["--fps"])
    assert sum(durations) == 1000 * float(given["--max-seconds"]) + frame  # with the frame before the first step
    assert (ROOT / given["-o"]).stat().st_size < 1.5e6
    assert f"]({given['-o']})" in readme
    words[4] = Path(given["-o"]).name
    assert f"    {shlex.join(words)}\n" in page


def test_pictures_are_small():
    assert {
        path.name: path.stat().st_size for path in (ROOT / "docs").rglob("*.png") if path.stat().st_size > 200e3
    } == {}
