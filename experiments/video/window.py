"""Watching a policy in a window, in real time."""

import os
import time
from collections.abc import Callable, Mapping, Sequence

import glfw
import gymnasium

from ec_evotorch.threads import one_torch_thread
from experiments.errors import UserError
from experiments.evaluation.episodes import play_episode
from experiments.run_folder.policy import SavedPolicy
from experiments.video.film import FilmedEpisode
from experiments.video.frame_clock import FrameClock
from experiments.video.opengl import has_display, shows_windows
from experiments.video.stage import Stage, Watched, open_stage, read_stage

MODE = "human"
FPS = 50  # at which MuJoCo is asked to draw: it waits for the screen each time, so that every step would take too long
