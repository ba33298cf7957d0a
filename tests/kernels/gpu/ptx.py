"""Compiles every kernel of the GPU without one; prints what PTX and the assembler tell of it, as JSON.

Started for test_ptx.py in a process of its own, since the simulator and the compiler exclude each other. As this takes
a minute, what was found is kept beside the compiled kernels of the CPU, until a kernel or a compiler changes.
"""

import hashlib
import json
import os
import re
from importlib.metadata import distributions
from pathlib import Path

from cuda.core import Linker, LinkerOptions, ObjectCode
from numba import cuda, types

from forecast_kernels.batches import gpu as batches
from forecast_kernels.blocks import gpu as blocks
from forecast_kernels.conv import gpu as conv
from forecast_kernels.dense import gpu as dense
from forecast_kernels.dropout import gpu as dropout
from forecast_kernels.embedding import gpu as embedding
from forecast_kernels.gate import gpu as gate
from forecast_kernels.jit import cache_folder
from forecast_kernels.jit_cuda import _gpu_sources_digest
from forecast_kernels.linear import gpu as linear
from forecast_kernels.loss import gpu as loss
from forecast_kernels.lstm import gpu as lstm
from forecast_kernels.matmul import gpu as matmul
from forecast_kernels.mlstm import gpu as mlstm
from forecast_kernels.network import gpu as network
from forecast_kernels.norm import gpu as norm
from forecast_kernels.optim import gpu as optim
from forecast_kernels.reduction import gpu as reduction
from forecast_kernels.slstm import gpu as slstm
from forecast_kernels.tiles import gpu as tiles
from forecast_kernels.windows import gpu as windows

f, f64, i, u, flag = types.float32, types.float64, types.int64, types.uint64, types.boolean
f1, f2, f3, d1, d2, i1, i2 = f[::1], f[:, ::1], f[:, :, ::1], f64[::1], f64[:, ::1], i[::1], i[:, ::1]
f4, f5 = f[:, :, :, ::1], f[:, :, :, :, ::1]
ENDING = flag, f1, i
SEQUENCE = f3, f2, f3, f3, f3, f3, i
BACKWARD = f2, f3, f3, f3, f2, f2, i
SLSTM = f4, f4, f3, f1, f4, f4, f4, f4, f5, f4, i, i
SLSTM_BACKWARD = f2, f4, f4, f4, f5, f4, f4, f4, f3, f3, f3, i, i
KERNELS = {
    matmul._tiles: (f2, flag, f2, flag, i, *ENDING, f3),
    matmul._add_parts: (f3, *ENDING, f2),
    matmul._add_rows: (f2, i, f2),
    dense._relu_backward: (f2, f2),
    tiles._tiles_of_groups: (i, i, i, i, i, f1, i, i, i, f1, i, i, i, flag, f1, flag, f1, i, i),
    tiles._add_parts_of_groups: (f1, i, i, i, i, flag, f1, flag, f1, i, i),
    matmul._transpose: (f2, f2),
    **{lstm._forward(rows): SEQUENCE for rows in (1, 2, 4)},
    **{lstm._backward(rows): BACKWARD for rows in (1, 2, 4)},
    loss._loss_forward_backward: (i, f2, f2, f2, f1, f, f2, d1),
    loss._cross_entropy_forward_backward: (f2, i[::1], f2, d1),
    optim._sum_gradients: (f2, d1, f1, d1),
    optim._adam_step: (f1, f1, f1, f1, i[::1], d1, f64, f64, f64, f64, d1, f64),
    dropout._dropout: (f1, u, f, u[::1], f1),
    embedding._embedding_forward: (f1, f2, f2),
    embedding._embedding_backward: (f1, f2, f2),
    gate._gate_forward: (f1, f1, f1),
    gate._gate_backward: (f1, f1, f1, f1, f1),
    gate._skip_forward: (f2, f2, f1, f2),
    gate._skip_backward: (f2, f1, f2, f2, f2, f1),
    gate._add: (f1, f1),
    linear._flat_forward: (f3, i, f2),
    linear._flat_backward: (f2, i, f3),
    linear._shift_forward: (f2, f2, f2),
    linear._shift_backward: (f2, f2, f2),
    norm._norm_forward: (f2, f1, f1, f3, f2),
    norm._norm_backward: (f2, f1, f3, f2, f2),
    norm._parameters_backward: (f2, f3, f2, f1, f1),
    conv._conv_forward: (f3, f3, i, f2, f1, f3, f3),
    conv._swish_backward: (f3, f3),
    conv._input_backward: (f2, f3, f3),
    conv._weights_backward: (f2, f2, i, f2, i, f2),
    **{slstm._forward(rows): SLSTM for rows in (1, 2, 4)},
    **{slstm._backward(rows): SLSTM_BACKWARD for rows in (1, 2, 4)},
    mlstm._gates: (f3, f3, i, flag, f2, f4),
    mlstm._chunks_forward: (f1, f1, f1, f4, i, i, flag, i, f1, f1, f1),
    mlstm._chunks_backward: (f1, f1, f1, f3, f4, i, i, flag, flag, *[f1] * 9, f3, f3),
    slstm._bias_backward: (f2, f2, i, flag, f1),
    blocks._sum: (f1, f1, f1),
    blocks._to_both: (f1, f1, f1),
    blocks._clear: (f1,),
    blocks._start_unseen: (f5, f4),
    network._layer_seeds: (u[::1], u[::1]),
    network._zero: (f2, i),
    network._last_forward: (f3, f2, f2),
    network._last_backward: (f2, f3),
    reduction._finish: (d1, flag),
    windows._gather_windows: (d1, i1, d2, d1, i1, f2, i2, f2, i2, *[i] * 9, f3, f2, d2, d1, f2, f2),
    batches._pick_batch: (i2, u[::1], d1, i, i, i, i2, u[::1], d1, i1),
    batches._count_terms: (f2, i, d1),
    batches._finish_terms: (d1, d1),
    batches._note_batch: (d1, d1, d1, i, d2, d1),
    batches._restore_units: (f2, d2, d1, i, i, d2),
    reduction._sum_rows: (f2, f1),
}


ARCHITECTURES = "sm_80", "sm_90"


def counted(pattern, text):
    """Sum of the numbers that a pattern finds."""
    return sum(map(int, re.findall(pattern, text)))


def linked(code, architecture, kind, **options):
    """What the linker makes of code, and its log. It optimises, as it does where numba-cuda starts kernels."""
    asked = LinkerOptions(arch=architecture, link_time_optimization=True, **options)
    linker = Linker(ObjectCode.from_ltoir(code), options=asked)
    return linker.link(kind).code, linker.get_info_log()


def facts(kernel, signature):
    """What PTX tells of a kernel, and the assembler's logs: the newer architecture takes the code of the older one."""
    code, _ = cuda.compile(kernel.py_func, signature, device=False, abi="numba", cc=(8, 0), output="ltoir")
    ptx = linked(code, ARCHITECTURES[0], "ptx", ptx=True)[0].decode()
    assert ".entry" in ptx, kernel
    for architecture in ARCHITECTURES:
        _, log = linked(code, architecture, "cubin", verbose=True)
        yield {
            "kernel": f"{kernel.py_func.__module__}.{kernel.py_func.__name__}",
            "types": str(signature),
            "architecture": architecture,
            "float64": len(re.findall(r"\.f64", ptx)),
            "local": len(re.findall(r"\.local\b|__local_depot", ptx)),
            "registers": max(map(int, re.findall(r"[Uu]sed (\d+) registers", log))),
            "spilled": counted(r"(\d+) bytes spill", log) + counted(r"(\d+) bytes lmem", log),
            "shared": counted(r"(\d+) bytes smem", log),
        }


def kept():
    """Where what was found is kept: another file if this one, a kernel or a package for GPUs is another."""
    packages = sorted({f"{found.name} {found.version}" for found in distributions()})
    tools = [package for package in packages if re.match("nvidia|cuda|numba|llvmlite", package)]
    digest = hashlib.sha256(Path(__file__).read_bytes() + repr((_gpu_sources_digest(), tools)).encode())
    return cache_folder() / f"ptx-{digest.hexdigest()[:16]}.json"


if __name__ == "__main__":
    file = kept()
    if not file.exists():
        found = json.dumps([fact for item in KERNELS.items() for fact in facts(*item)])
        new = file.with_suffix(f".{os.getpid()}")  # another session may look meanwhile
        new.write_text(found, encoding="utf-8")
        new.replace(file)
    print(file.read_text(encoding="utf-8"))
