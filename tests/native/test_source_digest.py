"""The digest of a module's sources changes with the program, and with nothing else."""

import pytest

from native import source_digest as module_under_test
from native.source_digest import source_digest

SOURCES = {
    "parcel/__init__.py": "",
    "parcel/start.py": "import parcel.first\nfrom parcel import second\nfrom .part import third\n",
    "parcel/first.py": "A = 1\n",
    "parcel/second.py": "def f():\n    from parcel.part.fourth import D\n    return D\n",
    "parcel/part/__init__.py": "",
    "parcel/part/third.py": "from .fourth import D\n",
    "parcel/part/fourth.py": "D = 4\n",
    "parcel/stranger.py": "E = 5\n",
}


@pytest.fixture
def digest(tmp_path, monkeypatch):
    """Returns the digest of `parcel.start` after some files were changed, each as if in a new process."""
    monkeypatch.syspath_prepend(tmp_path)
    for name, source in SOURCES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(source)

    def compute(**changes: str) -> str:
        for name, source in changes.items():
            (tmp_path / "parcel" / name.replace("__", "/")).with_suffix(".py").write_text(source)
        for function in (source_digest, module_under_test._read, module_under_test._find):
            function.cache_clear()
        return source_digest("parcel.start", tmp_path / "parcel" / "start.py")

    return compute


@pytest.mark.parametrize("name", ["first", "second", "part__third", "part__fourth"])
def test_every_module_that_is_imported_counts_however_it_is_imported(digest, name):
    assert digest() != digest(**{name: "CHANGED = 1\n"})


@pytest.mark.parametrize(
    "source", ["A = 1  # a comment\n", '"""A docstring."""\n\nA = 1\n', "A = (\n    1\n)\n", 'A = 1\n"""A note."""\n']
)
def test_words_and_layout_do_not_count(digest, source):
    assert digest() == digest(first=source)


def test_a_module_that_is_not_imported_does_not_count(digest):
    assert digest() == digest(stranger="E = 6\n")


@pytest.mark.parametrize("origin", [".....", ".....nowhere"])
def test_a_relative_import_that_leads_nowhere_is_not_followed(digest, origin):
    source = f"try:\n    from {origin} import missing\nexcept ImportError:\n    A = {{}}\n"
    assert digest(first=source.format(1)) != digest(first=source.format(2))


def test_a_text_that_the_program_uses_counts(digest):
    assert digest(first='A = "a"\n') != digest(first='A = "b"\n')
