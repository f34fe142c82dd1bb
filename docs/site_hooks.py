"""Hooks of MkDocs: the site also holds pages that stand at the top of the repository, and leaves out links to code."""

import posixpath
import re
from pathlib import Path

from mkdocs.structure.files import File

TOP = Path(__file__).resolve().parents[1]
PAGES_AT_TOP = ("RESULTS.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md")
FIGURES = "experiments/results/figures"
LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)\s]+)\)")
CODE_BLOCK = re.compile(r"(^```.*?^```$)", re.MULTILINE | re.DOTALL)


def on_files(files, config):
    """Adds the pages at the top of the repository, and the figures of RESULTS.md, to the files of the site."""
    figures = [f"{FIGURES}/{path.name}" for path in sorted((TOP / FIGURES).glob("*.png"))]
    for name in (*PAGES_AT_TOP, *figures):
        files.append(File.generated(config, name, abs_src_path=str(TOP / name)))
    return files


def on_page_markdown(markdown, page, config, files):
    """Rewrites the links of a page that leave docs/.

    A link to a page or figure that the site holds too is led there; of a link to any other file of the repository only
    the text is kept. Links within docs/ and to other hosts stay as they are, for MkDocs to check.
    """
    at_top = page.file.src_uri in PAGES_AT_TOP
    folder = "" if at_top else posixpath.join("docs", posixpath.dirname(page.file.src_uri))
    parts = CODE_BLOCK.split(markdown)
    return "".join(part if part.startswith("```") else _rewrite(part, folder, page, files) for part in parts)


def _rewrite(text: str, folder: str, page, files) -> str:
    def replacement(match: re.Match) -> str:
        is_image, words, target = match.groups()
        path, _, anchor = target.partition("#")
        if not path or ":" in path:
            return match.group()
        in_repository = posixpath.normpath(posixpath.join(folder, path))
        in_site = in_repository.removeprefix("docs/")
        if files.get_file_from_path(in_site) is None:
            is_ours = in_repository.startswith("docs/")  # a broken link, which MkDocs is to report
            return match.group() if is_ours else words
        start = posixpath.dirname(page.file.src_uri) or "."
        there = posixpath.relpath(in_site, start) + (f"#{anchor}" if anchor else "")
        return f"{is_image}[{words}]({there})"

    return LINK.sub(replacement, text)
