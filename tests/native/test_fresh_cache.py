"""Compiled code lives as long as nothing it may have been compiled from has changed."""

import os

from native.fresh_cache import drop_outdated


def test_only_what_is_older_than_a_source_is_dropped(tmp_path):
    package = tmp_path / "package"
    (package / "part" / "__pycache__").mkdir(parents=True)
    files = {
        "__init__.py": 1e9,
        "part/source.py": 4e9,
        "part/__pycache__/old.nbc": 3.9e9,
        "part/__pycache__/new.nbi": 4.1e9,
    }
    for name, modified in files.items():
        (package / name).touch()
        os.utime(package / name, (modified, modified))
    drop_outdated(str(package / "__init__.py"))
    assert not (package / "part/__pycache__/old.nbc").exists()
    assert (package / "part/__pycache__/new.nbi").exists()
    assert (package / "part/source.py").exists()
