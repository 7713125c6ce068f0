"""docs/spec/aggregation.md: order, threads and versions of libraries make no difference."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from protocol.plan import PlannedTensor
from protocol.tensors import TensorShape
from tests.protocol.builders import Network
from tests.protocol.saved_round import save_round

ROOT = Path(__file__).parents[2]
OTHER_NUMPY = "2.0.2"


@pytest.fixture(scope="module")
def saved(tmp_path_factory) -> Path:
    """Six updates of 600,003 values, one a near copy of another, with values from tiny to the end of the range."""
    folder = tmp_path_factory.mktemp("round")
    tensors = (
        PlannedTensor(TensorShape("a.weight", (600, 500)), 24),
        PlannedTensor(TensorShape("b.bias", (3,)), 10),
        PlannedTensor(TensorShape("c.weight", (300_000,)), 18),
    )
    changes = {"max_abs": 2**31 - 1, "max_norm": "999999999"}
    network = Network(sites_count=6, tensors=tensors, plan_changes=changes)
    network.open_round()
    spread = {"a.weight": 20.0, "b.bias": 0.5, "c.weight": 1e-4}
    deltas = []
    for number in range(5):
        rng = np.random.default_rng(number)
        delta = {t.shape.name: rng.normal(scale=spread[t.shape.name], size=t.shape.shape) for t in tensors}
        deltas.append(delta | {"a.weight": delta["a.weight"].clip(-127, 127)})
    deltas.append({name: values * 0.5 for name, values in deltas[0].items()})
    for site, delta in zip(network.sites, deltas, strict=True):
        network.register(site, delta=delta, num_examples=37 * (site.ordinal + 1))
    save_round(network, folder)
    return folder


def summed(saved: Path, seed: int = 0, **environment: str) -> dict:
    command = [sys.executable, "-m", "tests.protocol.sum_saved_round", str(saved), str(seed)]
    done = subprocess.run(
        command, cwd=ROOT, env=os.environ | environment, check=False, capture_output=True, text=True, timeout=240
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def expected(saved) -> dict:
    result = summed(saved)
    assert result["codes"] == [0, 0, 0, 0, 0, 101]
    return result


@pytest.mark.parametrize("threads", ["1", "2"])
def test_threads_and_order_make_no_difference(saved, expected, threads):
    assert summed(saved, int(threads), OMP_NUM_THREADS=threads, OPENBLAS_NUM_THREADS=threads) == expected


def test_the_processors_vector_units_make_no_difference(saved, expected):
    """Numpy and OpenBLAS choose their kernels by what the processor has: here, the oldest kernels there are."""
    features = "AVX2 FMA3 AVX512F AVX512CD AVX512_SKX AVX512_CLX AVX512_CNL AVX512_ICL AVX512_SPR"
    known = np._core._multiarray_umath.__cpu_dispatch__
    disabled = " ".join(name for name in features.split() if name in known)
    assert summed(saved, 3, NPY_DISABLE_CPU_FEATURES=disabled, OPENBLAS_CORETYPE="Prescott") == expected


@pytest.mark.slow
def test_another_numpy_makes_no_difference(saved, expected, tmp_path):
    """Installs another numpy beside the environment; nothing else changes."""
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(tmp_path)]
    subprocess.run([*install, f"numpy=={OTHER_NUMPY}"], check=True, timeout=240)
    other = summed(saved, 4, PYTHONPATH=str(tmp_path))
    assert other["numpy"] == OTHER_NUMPY != expected["numpy"]
    assert other | {"numpy": None} == expected | {"numpy": None}


FLUSHING = """
import io, torch
from protocol.aggregation import aggregate
from protocol.errors import ConfigError
assert torch.set_flush_denormal(True)
try:
    list(aggregate(io.BytesIO(b""), [], None))
except ConfigError as error:
    print(error)
"""


@pytest.mark.slow
def test_a_process_that_flushes_subnormal_numbers_refuses_to_sum():
    """The second of two hidden inputs of floating point (the first is the rounding mode, which nothing here sets)."""
    command = [sys.executable, "-c", FLUSHING]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True, timeout=240)
    assert "flushes subnormal numbers" in done.stdout
