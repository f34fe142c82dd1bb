"""The films on the page: those that `ec-evotorch video` has put into the folders of the runs."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from experiments.report.page import Video
from experiments.run_folder.layout import POLICY_TENSORS, VIDEOS

MEDIA_TYPES = {".mp4": "video/mp4", ".gif": "image/gif"}
MOST_BYTES = 20_000_000  # of all films of a page, where they take a third more
CAPTION = "Episodes of its policy, filmed by ec-evotorch video."


def read_videos(said: list[str], runs: Iterable[str]) -> Iterator[Video]:
    """Yields the films in the folders of runs, as long as the page has room for them.

    Args:
        said: Warnings, to which is added why a film is left out.
        runs: Folders of runs; those that are not there have no films.
    """
    free = MOST_BYTES
    for run in runs:
        for path in (Path(run) / name for name in VIDEOS):
            if not path.is_file():
                continue
            policy, size = path.with_name(POLICY_TENSORS), path.stat().st_size
            if policy.is_file() and path.stat().st_mtime < policy.stat().st_mtime:
                said.append(f"'{path}' is not shown, because the policy is newer: ec-evotorch video {run} -o {path}")
            elif size > free:
                said.append(
                    f"'{path}' is not shown: its {size / 1e6:,.1f} MB are more than the {free / 1e6:,.1f} MB that are "
                    "left for films on this page"
                )
            else:
                free -= size
                yield Video(run, CAPTION, MEDIA_TYPES[path.suffix], path.read_bytes())
