"""How kernels for the GPU are kept, and fitted to it."""

import pytest

from forecast_kernels.device import gpu

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not gpu().available, reason=f"{gpu().missing}; test_simulated.py runs this in the simulator"),
]
if gpu().available:
    from forecast_kernels import jit_cuda


def test_kept_kernels_are_of_the_code_that_compiles_them(tmp_path, monkeypatch):
    found = set()
    monkeypatch.setattr(jit_cuda, "__file__", str(tmp_path / "jit_cuda.py"))
    for text in ("THREADS = 128", "THREADS = 256"):
        (tmp_path / "jit_cuda.py").write_text(text, encoding="utf-8")
        found.add(jit_cuda._gpu_sources_digest.__wrapped__())
    assert len(found) == 2


@pytest.mark.parametrize(
    ("batch", "groups", "units", "expected"),
    [
        (100, 1, 10, (1, 100, 40, 4 * (400 + 100))),  # a row a block while none has to wait, and all of the matrix
        (200, 1, 10, (2, 100, 40, 4 * (400 + 200))),
        (300, 1, 10, (4, 75, 40, 4 * (400 + 400))),
        (100, 3, 10, (4, 25, 40, 4 * (400 + 400))),  # blocks of all groups count
        (301, 1, 120, (2, 151, 6, 4 * (720 + 2400))),  # as many rows as fit, and of the matrix what is left
        (301, 1, 300, (1, 301, 0, 4 * 3000)),
    ],
)
def test_recurrence_is_fitted_to_the_gpu(batch, groups, units, expected, monkeypatch):
    monkeypatch.setattr(jit_cuda, "multiprocessors", lambda: 100)
    monkeypatch.setattr(jit_cuda, "shared_limit", lambda: 4 * 3225)
    found = jit_cuda.recurrence(batch, groups, 1, units, (4 * units, units), 10 * units, 4)
    assert (found.rows, found.blocks, found.kept, found.shared) == expected
    assert found.threads == min(-(-units // 32) * 32, jit_cuda.THREADS)
