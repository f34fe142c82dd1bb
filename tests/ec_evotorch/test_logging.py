"""EvoTorch's chatter can be turned off, its warnings cannot."""

import logging

import pytest
from evotorch import Problem

from ec_evotorch.logging import quiet_evotorch


@pytest.fixture
def heard():
    """The messages of EvoTorch's logger and of those below it; its level is set back after the test."""
    logger, messages = logging.getLogger("evotorch"), []
    handler, before = logging.Handler(), logger.level
    handler.emit = lambda record: messages.append(record.getMessage())
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    yield messages
    logger.removeHandler(handler)
    logger.setLevel(before)


def make_something():
    Problem("max", lambda x: x.sum(), solution_length=3, initial_bounds=(-1, 1))


def test_quiet_evotorch_prints_warnings_only(heard):
    make_something()
    assert heard
    heard.clear()
    quiet_evotorch()
    make_something()
    logging.getLogger("evotorch.core").warning("careful")
    assert heard == ["careful"]
