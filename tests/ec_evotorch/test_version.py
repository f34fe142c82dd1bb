"""The package tells its version, installed or not."""

from importlib import metadata

import ec_evotorch


def test_the_version_is_that_of_the_installed_package(monkeypatch):
    monkeypatch.setattr(metadata, "version", {"ec-evotorch": "12.3"}.__getitem__)
    assert ec_evotorch._find_version() == "12.3"


def test_a_checkout_that_is_not_installed_says_so(monkeypatch):
    def not_found(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", not_found)
    assert ec_evotorch._find_version() == "0+not.installed"


def test_there_is_a_version():
    assert ec_evotorch.__version__ == ec_evotorch._find_version()
