"""How kernels are compiled, cached and run: every compiler flag stands here.

The cache: Numba stamps a cached function with the file that it stands in, so an edit to a *callee's* file would go
unseen, and an install into a read-only folder has no place to write. Ours is a folder under the user's cache directory,
named by a digest of all kernel sources, Numba's version and the processor.
"""

import ctypes
import hashlib
import inspect
import os
import platform
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from pathlib import Path
from types import FunctionType
from typing import Any, TypeVar, cast

import llvmlite.binding as llvm
import llvmlite.ir as ir
import numba
import numpy as np
import numpy.typing as npt
import platformdirs
from numba.core import cgutils
from numba.core.base import OverloadSelector
from numba.core.caching import CompileResultCacheImpl, FunctionCache, _CacheLocator
from numba.core.registry import CPUDispatcher
from numba.core.runtime.nrt import rtsys
from numba.extending import intrinsic as numba_intrinsic
from numba.np import linalg

Array = npt.NDArray[Any]
F = TypeVar("F", bound=Callable[..., Any])

# "numpy": division does not raise, or LLVM would not vectorise the loop around it. NaN stays visible: no nnan, no ninf.
_FLAGS: dict[str, Any] = {"error_model": "numpy", "fastmath": {"contract", "reassoc", "nsz"}}
_PACKAGE = Path(__file__).parent


@cache
def sources_digest() -> str:
    """Digest of what compiled code depends on: kernel sources, Numba's version, the processor and its features."""
    digest = hashlib.sha256()
    for file in sorted(_PACKAGE.rglob("*.py")):
        if file.name in ("gpu.py", "jit_cuda.py", "device.py"):  # the CPU runs nothing of theirs
            continue
        digest.update(file.relative_to(_PACKAGE).as_posix().encode())
        digest.update(file.read_bytes())
    processor = (llvm.get_host_cpu_name(), llvm.get_host_cpu_features().flatten())
    digest.update(repr((numba.__version__, *processor)).encode())
    return digest.hexdigest()[:16]


@cache
def cache_folder() -> Path | None:
    """Folder of compiled kernels, below ``GATECAST_CACHE_DIR`` or the user's cache directory; None if unwritable."""
    base = os.environ.get("GATECAST_CACHE_DIR") or platformdirs.user_cache_dir("gatecast", appauthor=False)
    folder = Path(base) / f"kernels-{sources_digest()}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError:
        return None
    return folder


class _Locator(_CacheLocator):
    """Points Numba to our folder, whatever file a kernel stands in."""

    def __init__(self, py_func: Any, py_file: str) -> None:
        self._py_file = py_file
        self._name = f"{py_func.__module__}-{py_func.__code__.co_firstlineno}"

    def get_cache_path(self) -> str:
        return str(cache_folder())

    def get_source_stamp(self) -> str:
        return sources_digest()

    def get_disambiguator(self) -> str:
        return self._name

    @classmethod
    def from_function(cls, py_func: Any, py_file: str) -> "_Locator":
        return cls(py_func, py_file)


def _import_numba_without_scipy() -> None:
    """Import what every kernel needs of Numba, but not scipy.linalg.

    Numba imports that with it (0.2 s) to see whether there is a BLAS; it looks again when a function uses one, and no
    kernel does.
    """
    looks = linalg.ensure_blas
    linalg.ensure_blas = lambda: None
    try:
        import_module("numba.np.arraymath")
    finally:
        linalg.ensure_blas = looks


_import_numba_without_scipy()

_Named = tuple[str, str, tuple[Any, ...]]  # module, name and argument types of a kernel
_kernels: dict[str, _Named] = {}  # symbol -> the kernel whose code it is
_slots: dict[str, tuple[_Named, ctypes.c_void_p]] = {}  # symbol -> a kernel called later, and where its address stands


def _symbol(named: _Named) -> str:
    module, name, types = named
    return f"{module}.{name}.{hashlib.sha256(repr(types).encode()).hexdigest()[:16]}"


def _slot(named: _Named) -> str:
    """Symbol of the place where compiled code finds the address of a kernel that may not be there yet."""
    symbol = f"{_symbol(named)}.slot"
    if symbol not in _slots:
        place = ctypes.c_void_p(llvm.address_of_symbol(_symbol(named)))
        _slots[symbol] = named, place
        llvm.add_symbol(symbol, ctypes.addressof(place))
    return symbol


def _names(bitcode: bytes) -> bytes:
    """Bitcode that defines the same names, but nothing of what they do.

    Nobody links a kernel into another, but Numba looks into the bitcode for the names that the machine code beside it
    defines; to read all of it is half of the time of loading.
    """
    module = llvm.parse_bitcode(bitcode)
    lines = [f'define void @"{one.name}"() {{ ret void }}' for one in module.functions if not one.is_declaration]
    lines += [f'@"{one.name}" = global i8 0' for one in module.global_variables if not one.is_declaration]
    return bytes(llvm.parse_assembly("\n".join(lines)).as_bitcode())


class _CacheImpl(CompileResultCacheImpl):
    """Stores with a kernel which others it calls, and has them, or their slots, there before its code is loaded."""

    _locator_classes = (_Locator,)  # type: ignore[assignment]

    def reduce(self, result: Any) -> Any:
        module = result.library._final_module
        callees = [_kernels[function.name] for function in module.functions if function.name in _kernels]
        later = [_slots[place.name][0] for place in module.global_variables if place.name in _slots]
        (name, kind, (code, bitcode)), *others = super().reduce(result)  # type: ignore[no-untyped-call]
        return callees, later, ((name, kind, (code, _names(bitcode))), *others)

    def rebuild(self, target_context: Any, payload: Any) -> Any:
        callees, later, reduced = payload
        for module, name, types in callees:
            getattr(import_module(module), name).compile(types)
        for named in later:
            _slot(named)
        return super().rebuild(target_context, reduced)  # type: ignore[no-untyped-call]


class _Cache(FunctionCache):
    _impl_class = _CacheImpl

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """Load compiled code without making the compiler ready (0.15 s), which does so itself before it compiles."""
        rtsys.initialize(target_context)
        with self._guard_against_spurious_io_errors():
            return self._load_overload(sig, target_context)  # type: ignore[no-untyped-call]


def _call(context: Any, builder: Any, function: Any, result: Any, types: Any, arguments: Any) -> Any:
    """Call compiled code; kernels raise nothing, so the status is not looked at."""
    return context.call_conv.call_function(builder, function, result, types, arguments)[1]


class _Kernel(CPUDispatcher):
    """A compiled function that other kernels call through a symbol.

    Numba itself compiles a callee again into every caller, and into the callers of those: most of a first run's time.
    """

    def add_overload(self, result: Any) -> None:
        super().add_overload(result)
        types = tuple(result.signature.args)
        named = self.py_func.__module__, self.py_func.__name__, types
        symbol, address = _symbol(named), result.library.get_pointer_to_function(result.fndesc.llvm_func_name)
        _kernels[symbol] = named
        llvm.add_symbol(symbol, address)
        if f"{symbol}.slot" in _slots:
            _slots[f"{symbol}.slot"][1].value = address

        def call(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            kind = context.call_conv.get_function_type(result.fndesc.restype, types)
            function = cgutils.get_or_insert_function(builder.module, kind, symbol)
            return _call(context, builder, function, result.fndesc.restype, types, arguments)

        call.signature, call.libs = types, ()  # type: ignore[attr-defined]
        definitions = OverloadSelector()
        definitions.append(call, types)
        result.target_context._defns[result.entry_point] = definitions


def later(function: F) -> F:
    """What kernels call to run another kernel, which returns nothing, without having it compiled together with them.

    A program of many parts then costs the compiling of those that are run. Whoever starts it sees to it with `provide`
    that they are there: a call of one that is not ends the process.
    """
    code = cast(_Kernel, function).py_func
    nothing = numba.types.none

    def definition(typing_context: Any, *types: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            symbol = _slot((code.__module__, code.__name__, types))
            kind = context.call_conv.get_function_type(nothing, types).as_pointer()
            place = builder.module.globals.get(symbol) or ir.GlobalVariable(builder.module, kind, symbol)
            _call(context, builder, builder.load(place), nothing, types, arguments)
            return context.get_dummy_value()

        return nothing(*types), generate

    parameters = list(inspect.signature(code).parameters.values())
    first = inspect.Parameter("typing_context", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    definition.__signature__ = inspect.Signature([first, *parameters])  # type: ignore[attr-defined]
    definition.__name__ = f"{code.__name__}_later"
    return cast(F, numba_intrinsic(definition))


def provide(*functions: Any) -> None:
    """Compile kernels, or load them, for all types of arguments with which compiled code may call them later."""
    wanted = {(function.py_func.__module__, function.py_func.__name__): function for function in functions}
    done: set[str] = set()
    while new := [symbol for symbol in _slots if symbol not in done]:  # a kernel may be one that calls others later
        for symbol in new:
            module, name, types = _slots[symbol][0]
            if (module, name) in wanted:
                wanted[module, name].compile(types)
        done.update(new)


def _compiled(function: F, **options: Any) -> F:
    flags = {"nopython": True, "nogil": True, "no_cfunc_wrapper": True, **_FLAGS}  # no C code calls a kernel
    dispatcher = _Kernel(function, targetoptions={**flags, **options})
    if cache_folder() is not None:
        dispatcher._cache = _Cache(function)  # type: ignore[attr-defined, no-untyped-call]
    return cast(F, dispatcher)


def kernel(function: F) -> F:
    """Compile a kernel: serial, cached, without the interpreter's lock; kernels may call kernels, and raise nothing."""
    return _compiled(function)


def part(function: F) -> F:
    """Compile a part of kernels: only compiled code can call it, which saves compiling the way in from Python."""
    return _compiled(function, no_cpython_wrapper=True, no_cfunc_wrapper=True)


def parallel_kernel(function: F) -> F:
    """Compile a kernel whose ``prange`` runs on Numba's threads; a long loop body compiles slowly, so call a kernel.

    Python calls what `startable` gives for it.
    """
    code = cast(FunctionType, function)
    serial = FunctionType(code.__code__, code.__globals__, f"{code.__name__}_serial")
    serial.__qualname__, serial.__module__ = serial.__name__, code.__module__  # another name in the cache
    dispatcher = _compiled(function, parallel=True)
    dispatcher.serial = _compiled(serial)  # type: ignore[attr-defined]
    return dispatcher


def startable(function: F) -> F:
    """The parallel kernel itself, or in a child forked after the threads had started the same with a plain loop.

    Such a child has none of the threads, and may start none. (A choice at each call of the kernel would cost as long as
    a small network.)
    """
    serial: F = function.serial  # type: ignore[attr-defined]
    return serial if _threads_lost else function


def cell(function: F) -> F:
    """Compile scalar math, or a part of one kernel alone, that is inlined wherever it is used."""
    return cast(F, numba.njit(inline="always", **_FLAGS)(function))


def intrinsic(function: Any) -> Any:
    """Write a function's machine instructions by hand; it sees integer literals as such."""
    return numba_intrinsic(prefer_literal=True)(function)


@intrinsic
def wide_vectors(typing_context: Any) -> Any:
    """Called once in a kernel: its loops use the processor's widest vectors, not the half that LLVM prefers."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        # llvmlite knows no attributes with a value, but prints them as they are
        set.add(builder.function.attributes, '"prefer-vector-width"="512"')
        return context.get_dummy_value()

    return numba.types.none(), generate


@intrinsic
def flush_denormals(typing_context: Any, flush: Any) -> Any:
    """Whether this thread counts numbers below 1e-38 (float32) as 0; returns what was before.

    Gradients that vanish over hundreds of steps pass through such numbers, and each costs a hundred cycles. Elsewhere
    than on x86 nothing changes.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        if platform.machine().lower() not in ("x86_64", "amd64"):
            return arguments[0]
        word, byte = ir.IntType(32), ir.IntType(8).as_pointer()
        kind = ir.FunctionType(ir.VoidType(), [byte])
        place = cgutils.alloca_once(builder, word)
        builder.call(
            cgutils.get_or_insert_function(builder.module, kind, "llvm.x86.sse.stmxcsr"), [builder.bitcast(place, byte)]
        )
        state, bits = builder.load(place), word(0x8040)  # results that are denormal, operands that are
        builder.store(
            builder.select(arguments[0], builder.or_(state, bits), builder.and_(state, builder.not_(bits))), place
        )
        builder.call(
            cgutils.get_or_insert_function(builder.module, kind, "llvm.x86.sse.ldmxcsr"), [builder.bitcast(place, byte)]
        )
        return builder.icmp_unsigned("!=", builder.and_(state, bits), word(0))

    return numba.types.boolean(numba.types.boolean), generate


def compile_for(function: Any, *arguments: Any) -> None:
    """Compile a kernel, or load it, for arguments of these types, without calling it."""
    function.compile(tuple(numba.typeof(argument) for argument in arguments))


_OWN = 4  # NumPy's flag of an array that is no view
_ready: set[Any] = set()


def make_ready(function: Any, later: tuple[Any, ...], *arguments: Any) -> None:
    """Compile a kernel for arguments of these types, and those that it calls later, unless that was done before."""
    # Numba's own look at the types takes longer than a small network
    wanted = function, later, _kinds(arguments)
    if wanted not in _ready:
        compile_for(function, *arguments)
        provide(*later)
        _ready.add(wanted)


def _kinds(arguments: tuple[Any, ...]) -> tuple[Any, ...]:
    """What Numba's types of arguments depend on."""
    return tuple(
        (value.dtype.char, value.ndim, value.flags.num & ~_OWN)
        if isinstance(value, np.ndarray)
        else (type(value), *_kinds(value))
        if isinstance(value, tuple)
        else type(value)
        for value in arguments
    )


_running = threading.RLock()
_threads_started = _threads_lost = False


def _after_fork() -> None:
    """A child has the parent's memory but none of its threads; one of those may have held the lock."""
    global _running, _threads_lost
    _running = threading.RLock()
    _threads_lost = _threads_started


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def _start_threads() -> None:
    """Let Numba start its threads such that one that waits soon sleeps.

    GNU OpenMP's threads spin for milliseconds by default; on a busy machine they then keep the others from working
    (training was up to ten times slower). The variable is read once, when the library is loaded.
    """
    global _threads_started
    if _threads_started:
        return
    _threads_started = True
    name = "GOMP_SPINCOUNT"
    given = os.environ.get(name)
    os.environ[name] = given or "1000"
    try:
        numba.get_num_threads()
    finally:
        if given is None:
            del os.environ[name]


@contextmanager
def threads(count: int | None = None) -> Iterator[int]:
    """Hold ``count`` Numba threads (default: all that Numba may use); restores what was before.

    Only one Python thread at a time is let in: not every threading layer of Numba allows more.
    """
    limit = numba.config.NUMBA_NUM_THREADS  # type: ignore[attr-defined]
    wanted = limit if count is None else max(1, min(count, limit))
    with _running:
        _start_threads()
        before = numba.get_num_threads()
        numba.set_num_threads(wanted)
        try:
            yield wanted
        finally:
            numba.set_num_threads(before)
