"""Physics, networks and trainings on a device are measured by the number of slots, with the name of the device."""

import sys
from types import SimpleNamespace

import pandas as pd
import pytest

from experiments.bench import device
from experiments.cli import main
from native.warp_device import find_device, load_warp

pytest.importorskip("mujoco_warp", reason="MuJoCo Warp is not installed: pip install 'ec-evotorch[gpu]'")


def test_a_cpu_is_measured_with_few_slots_on_hopper(monkeypatch):
    trained = []

    def train(words):
        trained.append(words)
        return int, SimpleNamespace(close=int)

    monkeypatch.setattr(device, "begin_training", train)
    for part in ("_physics", "_networks"):
        monkeypatch.setattr(device, part, lambda *arguments: int)
    monkeypatch.setattr(
        device, "measure_speeds", lambda contenders, _: pd.DataFrame({name: [3] for name in contenders})
    )
    rows = pd.DataFrame(device.measure_device(64, 1.0))
    assert rows.slots.tolist() == [16, 64]
    assert set(rows.environment) == {"Hopper-v5"}
    assert set(rows.device) == {device.name_of(find_device("cpu"))}
    assert (rows["training EC / ES"] == 1.0).all()
    assert [words[1:3] for words in trained[:2]] == [["agent=rsnn", "searcher=ec"], ["agent=rsnn", "searcher=es"]]
    assert {"problem.device=cpu", "problem.physics=warp", "problem.num_envs=16"} < set(trained[0])


def test_what_a_small_card_cannot_hold_is_left_out_and_the_rest_is_measured(monkeypatch, capsys):
    def physics(env_id, num_slots, card):
        if num_slots > 16:
            raise RuntimeError("Failed to allocate 8 bytes on device 'cuda:0'")
        return int

    monkeypatch.setattr(device, "_physics", physics)
    monkeypatch.setattr(device, "_networks", lambda *arguments: int)
    monkeypatch.setattr(device, "begin_training", lambda words: (int, SimpleNamespace(close=int)))
    monkeypatch.setattr(
        device, "measure_speeds", lambda contenders, _: pd.DataFrame({name: [3] for name in contenders})
    )
    assert [row["slots"] for row in device.measure_device(64, 1.0)] == [16]
    assert "warning: device: not enough memory for 64 slots of Hopper-v5: Failed to allocate" in capsys.readouterr().err

    monkeypatch.setattr(device, "_networks", lambda *arguments: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        list(device.measure_device(64, 1.0))


def test_a_missing_extra_is_named_before_anything_is_measured(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "warp", None)  # as if it were not installed
    load_warp.cache_clear()
    assert main(["bench", "device"]) == 2
    load_warp.cache_clear()
    assert "device: NVIDIA Warp is not installed: pip install 'ec-evotorch[gpu]'" in capsys.readouterr().err


@pytest.mark.slow
def test_the_table_is_printed_and_written(capsys, working_directory):
    assert main(["bench", "device", "--seconds", "0.01", "--num-envs", "4", "--csv", str(working_directory)]) == 0
    assert "Hopper-v5" in capsys.readouterr().out
    table = pd.read_csv(working_directory / "device.csv")
    assert table.slots.tolist() == [2, 4]
    assert (table.filter(like="steps/s") > 0).all(axis=None)
