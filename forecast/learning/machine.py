"""What networks run on: processor, threads, and where their compiled kernels are kept."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Machine:
    """The facts of this machine that matter to networks."""

    device: str
    """The processor, as the compiler names it."""
    gpu: str
    """The GPU that kernels can run on, as its driver calls it; "" if there is none."""
    gpu_missing: str
    """What such a GPU lacks, in words; "" if nothing."""
    threads: int
    """Threads that kernels use at most."""
    cache_folder: Path | None
    """Where compiled kernels are kept; None if no folder can be written to."""
    cache_bytes: int
    """Size of what lies there."""
    compiled: bool
    """Whether the kernels are there already."""


def machine() -> Machine:
    """Look at this machine."""
    import llvmlite.binding as llvm
    import numba

    from forecast.learning.warmup import is_warm
    from forecast_kernels.device import gpu
    from forecast_kernels.jit import cache_folder

    folder = cache_folder()
    files = [] if folder is None else [file for file in folder.rglob("*") if file.is_file()]
    return Machine(
        device=f"cpu ({llvm.get_host_cpu_name()})",
        gpu=gpu().name if gpu().available else "",
        gpu_missing=gpu().missing,
        threads=numba.config.NUMBA_NUM_THREADS,  # type: ignore[attr-defined]
        cache_folder=folder,
        cache_bytes=sum(file.stat().st_size for file in files),
        compiled=is_warm(),
    )
