"""Environments that are registered for one test."""

import gymnasium
import pytest


@pytest.fixture
def register():
    """`gymnasium.register`, whose registrations end with the test."""
    before = dict(gymnasium.registry)
    yield gymnasium.register
    gymnasium.registry.clear()
    gymnasium.registry.update(before)
