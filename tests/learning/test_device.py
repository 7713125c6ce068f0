"""learning/device.py"""

import os

import pytest

from learning import device
from learning.device import DeviceSettings, batch_size_for, long_side_for, profile_device

GIB = 2**30


def test_the_profile_of_this_machine_is_possible():
    profile = profile_device()
    assert 1 <= profile.cores <= (os.cpu_count() or 1)
    assert 0 < profile.memory_available_bytes <= profile.memory_total_bytes
    assert profile.torch_device == "cpu"
    assert len(profile.lines()) == 4


def test_one_thread_when_processes_share_the_cores(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)))
    assert profile_device().threads == 1
    assert profile_device(DeviceSettings(shares_cores=False)).threads == 8
    assert profile_device(DeviceSettings(threads=3)).threads == 3


def test_cores_outside_the_affinity_mask_do_not_count(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {5})
    assert profile_device(DeviceSettings(shares_cores=False)).threads == 1


@pytest.mark.parametrize(
    ("free", "batch", "side"),
    [(GIB // 4, 8, 1200), (GIB // 2, 16, 1200), (GIB, 32, 1200), (2 * GIB, 32, 1600), (8 * GIB, 32, 2000)],
)
def test_less_memory_means_smaller_batches_and_pages(free, batch, side):
    assert (batch_size_for(free), long_side_for(free)) == (batch, side)


def test_a_containers_limit_counts_when_it_is_lower(monkeypatch, tmp_path):
    meminfo = tmp_path / "meminfo"
    meminfo.write_text("MemTotal: 8388608 kB\nMemAvailable: 4194304 kB\n", encoding="ascii")
    limit = tmp_path / "memory.max"
    limit.write_text(f"{GIB}\n", encoding="ascii")
    monkeypatch.setattr(device, "_MEMINFO", meminfo)
    monkeypatch.setattr(device, "_CGROUP_LIMIT", limit)
    assert profile_device().memory_total_bytes == GIB
    limit.write_text("max\n", encoding="ascii")
    assert profile_device().memory_available_bytes == 4 * GIB


def test_without_meminfo_half_of_the_memory_is_taken_as_free(monkeypatch, tmp_path):
    monkeypatch.setattr(device, "_MEMINFO", tmp_path / "none")
    monkeypatch.setattr(device, "_CGROUP_LIMIT", tmp_path / "none")
    profile = profile_device()
    assert profile.memory_available_bytes == profile.memory_total_bytes // 2
