"""learning/device.py"""

import os

import pytest
import torch

from learning import device
from learning.device import DeviceSettings, batch_size_for, profile_device, require_memory, training_bytes
from learning.english_g2 import EnglishG2
from protocol.errors import LearningError

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


@pytest.mark.parametrize(("free", "batch"), [(GIB // 4, 8), (GIB // 2, 16), (GIB, 32), (8 * GIB, 32)])
def test_less_memory_means_smaller_batches(free, batch):
    assert batch_size_for(free) == batch


def test_an_accelerator_trains_only_where_there_is_one_and_the_operator_says_so(monkeypatch):
    wanted = DeviceSettings(use_accelerator=True)
    monkeypatch.setattr(torch.accelerator, "current_accelerator", lambda **_: None)
    assert (profile_device(wanted).accelerator, profile_device(wanted).torch_device) == (None, "cpu")
    monkeypatch.setattr(torch.accelerator, "current_accelerator", lambda **_: torch.device("cuda"))
    assert profile_device(wanted).torch_device == "cuda"
    found = profile_device()
    assert (found.accelerator, found.torch_device) == ("cuda", "cpu")


def test_words_that_the_memory_cannot_hold_are_refused(monkeypatch, tmp_path, backbone):
    meminfo = tmp_path / "meminfo"
    meminfo.write_text("MemTotal: 8388608 kB\nMemAvailable: 1048576 kB\n", encoding="ascii")
    monkeypatch.setattr(device, "_MEMINFO", meminfo)
    monkeypatch.setattr(device, "_CGROUP_LIMIT", tmp_path / "none")
    require_memory(backbone, 1_000, 32)
    with pytest.raises(LearningError, match=r"10000 words needs 2\.6 GiB of memory, 1\.0 GiB are free"):
        require_memory(backbone, 10_000, 32)


def test_memory_grows_with_words_batch_and_scope(backbone):
    one = training_bytes(backbone, 100, 1)
    assert one < training_bytes(backbone, 101, 1)
    assert one < training_bytes(backbone, 100, 32)
    assert training_bytes(backbone, 100, 32) < training_bytes(EnglishG2("bilstm"), 100, 32)


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
