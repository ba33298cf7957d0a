"""``forecast warmup`` and ``forecast info``: the compiled kernels, and what they run on."""

from typing import Any

from forecast.cli.options import Json, Quiet
from forecast.cli.progress import progress_on_stderr
from forecast.cli.screen import facts_table, show, show_json

PACKAGES = ("numpy", "numba", "pandas", "scipy", "statsmodels")


def warmup(quiet: Quiet = False) -> None:
    """Compile the kernels for this CPU now, so that the first training need not.

    Example: forecast warmup
    """
    from forecast.learning.machine import machine
    from forecast.learning.warmup import is_warm
    from forecast.learning.warmup import warmup as compile_kernels

    before = is_warm()
    with progress_on_stderr(quiet) as progress:
        compile_kernels(progress)
    if not quiet:
        place = machine().cache_folder or "this process only, since no cache folder can be written to"
        show(f"The kernels {'were' if before else 'are now'} compiled: {place}")


def info(as_json: Json = False) -> None:
    """Show versions, device, threads and folders, for bug reports and for the curious.

    Example: forecast info --json
    """
    facts = _facts()
    if as_json:
        show_json(facts)
        return
    size, without_gpu = facts["cache_bytes"], f"none can be used: {facts['gpu_missing']}"
    shown = {
        **facts["versions"],
        "device": facts["device"],
        "gpu": f"{gpu}; --device cuda takes it, auto the cpu" if (gpu := facts["gpu"]) else without_gpu,
        "threads": str(facts["threads"]),
        "kernels": "compiled" if facts["kernels_compiled"] else "not compiled yet; forecast warmup does it",
        "cache": f"{facts['cache_folder']} ({size / 1e6:.1f} MB)" if facts["cache_folder"] else "none can be written",
        "data": facts["data_folder"],
    }
    show(facts_table(list(shown.items())))


def _facts() -> dict[str, Any]:
    import platform
    from importlib.metadata import version

    import forecast
    from forecast.learning.machine import machine
    from forecast.series import datasets

    here = machine()
    return {
        "versions": {
            "gatecast": forecast.__version__,
            "python": platform.python_version(),
            **{name: version(name) for name in PACKAGES},
        },
        "device": here.device,
        "gpu": here.gpu or None,
        "gpu_missing": here.gpu_missing or None,
        "threads": here.threads,
        "kernels_compiled": here.compiled,
        "cache_folder": None if here.cache_folder is None else str(here.cache_folder),
        "cache_bytes": here.cache_bytes,
        "data_folder": str(datasets.path(datasets.names()[0]).parent),
    }
