"""Warp is imported where it is asked for and nowhere else."""

import ast
import gc
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import pytest

from native import warp_device
from native.warp_device import capture, check_array, find_device, launch, launch_blocks, launch_function, load_warp
from tests.device import DEVICE, device_name

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("native", "envs", "agents", "ec_evotorch", "experiments")
needs_warp = pytest.mark.skipif(
    find_spec("warp") is None, reason="NVIDIA Warp is not installed: pip install 'ec-evotorch[gpu]'"
)


def imports_at_the_top(source: str) -> set[str]:
    """Returns the modules that a file imports as soon as it is imported itself, and "warp" if it loads that."""
    found, nodes = set(), list(ast.iter_child_nodes(ast.parse(source)))
    while nodes:
        node = nodes.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Call) and getattr(node.func, "id", None) == "load_warp":
            found.add("warp")
        nodes += ast.iter_child_nodes(node)
    return found


def test_nothing_loads_warp_unless_it_is_asked_for():
    files = [path.relative_to(ROOT) for room in ROOMS for path in (ROOT / room).rglob("*.py")]
    modules = {".".join(path.with_suffix("").parts).removesuffix(".__init__"): path for path in files}
    needs = {name: imports_at_the_top((ROOT / path).read_text()) for name, path in modules.items()}
    with_warp = {"warp"}
    while more := {name for name, found in needs.items() if found & with_warp} - with_warp:
        with_warp |= more
    of_kernels = (
        "agents.device.",
        "agents.rsnn.device.",
        "ec_evotorch.distributions.warp_",
        "ec_evotorch.rollout.device.",
        "ec_evotorch.searchers.actor_critic_ec.device.",
        "envs.warp.",
    )
    assert {name for name in with_warp - {"warp"} if not name.startswith(of_kernels)} == set()
    assert len(with_warp) == 27


def test_a_missing_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "warp", None)  # as if it were not installed
    load_warp.cache_clear()
    with pytest.raises(ImportError, match=r"NVIDIA Warp is not installed: pip install 'ec-evotorch\[gpu\]'"):
        find_device("cpu")


@needs_warp
@pytest.mark.parametrize("name", ["gpu", "cuda:99", 0, None])
def test_a_device_that_is_not_there_is_refused(name):
    with pytest.raises(ValueError, match=rf"device: expected 'cpu' or .*; got {name!r}"):
        find_device(name)


@needs_warp
def test_a_cpu_that_warp_cannot_compile_for_is_not_offered(monkeypatch):
    wp = load_warp()
    monkeypatch.setattr(wp, "get_devices", lambda: ["cuda:0", "cuda:1"])
    with pytest.raises(ValueError, match=r"^device: expected 'cuda' or one of cuda:0, cuda:1; got 'cpu'$"):
        find_device("cpu")


@needs_warp
def test_launches_reach_every_index_and_lane_once(monkeypatch):
    wp = load_warp()
    device, cpu = find_device(DEVICE), find_device("cpu")

    @wp.kernel(module="unique")
    def count(ones: wp.array[int], hits: wp.array[int]):
        i = wp.tid()
        hits[i] = hits[i] + ones[i]

    @wp.kernel(module="unique")
    def count_lanes(lanes: wp.array2d[int]):
        i, lane = wp.tid()
        lanes[i, lane] = lanes[i, lane] + 1

    hits = wp.zeros(3, dtype=int, device=device)
    launch(count, 3, [wp.ones(3, dtype=int, device=device)], [hits], device)
    assert hits.numpy().tolist() == [1, 1, 1]
    lanes = wp.zeros((3, 32), dtype=int, device=device)
    launch_blocks(count_lanes, 3, [], [lanes], device, block_dim=32)
    of_cpu = [3] + [0] * 31  # it has one lane
    assert lanes.numpy().sum(axis=0).tolist() == (of_cpu if device == cpu else [3] * 32)
    lanes = wp.zeros((3, 32), dtype=int, device=cpu)
    monkeypatch.setattr(wp.config, "enable_cpu_blocks", True)
    launch_blocks(count_lanes, 3, [], [lanes], cpu, block_dim=32)
    assert lanes.numpy().sum(axis=0).tolist() == [3] * 32


@needs_warp
def test_a_graph_replays_what_was_carried_out_once():
    wp, device = load_warp(), find_device(DEVICE)

    @wp.kernel(module="unique")
    def double(number: wp.array[int]):
        number[0] = 2 * number[0]

    number = wp.ones(1, dtype=int, device=device)
    graph = capture(lambda: launch(double, 1, [], [number], device), device)
    assert number.numpy()[0] == 2
    graph.replay()
    assert number.numpy()[0] == 4


@needs_warp
def test_a_graph_replays_what_others_launch_in_its_place():
    wp, device = load_warp(), find_device("cpu")

    @wp.kernel(module="unique")
    def triple(number: wp.array[int]):
        number[0] = 3 * number[0]

    number, calls = wp.ones(1, dtype=int, device=device), []

    def launch_triple():
        launch(triple, 1, [], [number], device)

    def add_one():
        calls.append(number.numpy()[0])
        number.numpy()[0] += 1

    def launch_all():
        launch_function(add_one, device)
        launch_triple()
        launch_function(add_one, device)
        launch_function(add_one, device)
        launch_triple()

    graph = capture(launch_all, device)
    assert number.numpy()[0] == 3 * (3 * (1 + 1) + 2)
    assert calls == [1, 6, 7]  # recording calls nothing
    graph.replay()
    assert number.numpy()[0] == 3 * (3 * (24 + 1) + 2)


@needs_warp
def test_a_recording_that_fails_leaves_no_graph_open():
    device, calls = find_device(DEVICE), []

    def fail_when_recorded():
        calls.append(0)
        if len(calls) == 2:
            launch_function(print, device)
            raise KeyError("recorded")

    with pytest.raises(KeyError, match="recorded"):
        capture(fail_when_recorded, device)
    assert not device.is_capturing
    capture(lambda: None, device).replay()


@needs_warp
def test_garbage_is_not_collected_while_a_graph_is_recorded():
    seen = []

    def fail_when_recorded():
        seen.append(gc.isenabled())
        if len(seen) == 4:
            raise KeyError("recorded")

    assert gc.isenabled()
    capture(fail_when_recorded, find_device(DEVICE))
    assert gc.isenabled()
    with pytest.raises(KeyError, match="recorded"):
        capture(fail_when_recorded, find_device(DEVICE))
    assert gc.isenabled()
    assert seen == [True, False, True, False]


@needs_warp
def test_a_long_wait_for_kernels_is_explained(caplog, monkeypatch):
    monkeypatch.setattr(warp_device, "_PATIENCE", 0.0)

    def take_long():
        end = time.monotonic() + 30
        while not caplog.records and time.monotonic() < end:
            time.sleep(0.01)

    capture(take_long, find_device(DEVICE))
    (record,) = caplog.records
    assert record.getMessage() == f"compiling kernels for the device {device_name()}: a minute or more, once only"


@needs_warp
def test_an_array_that_a_kernel_must_not_read_is_refused():
    wp, device = load_warp(), find_device(DEVICE)
    rows = wp.zeros((3, 2), dtype=wp.float32, device=device)
    check_array("rows", rows, wp.float32, (3, None), device)
    expected = rf"rows: expected an array of u?\w+32 of shape \(.*\) on {device}"
    for array, dtype, shape, got in (
        (rows, wp.float32, (4, 2), rf"float32 of shape \(3, 2\) on {device}"),
        (rows, wp.float32, (3,), rf"float32 of shape \(3, 2\) on {device}"),
        (rows, wp.uint32, (3, None), rf"float32 of shape \(3, 2\) on {device}"),
        (rows.numpy(), wp.float32, (3, None), "a ndarray"),
    ):
        with pytest.raises(ValueError, match=rf"{expected}, got {got}"):
            check_array("rows", array, dtype, shape, device)


@needs_warp
def test_warp_is_quiet():
    wp = load_warp()
    assert wp.config.log_level >= wp.LOG_WARNING
