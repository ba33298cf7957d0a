"""Eight numbers as one: explicit SIMD for kernels that do the same eight times.

A ``Lanes`` value is eight float64 in vector registers. Kernels get one with `load` from an array (m, 8) or with
`splat`, and put it back with `store`; between, the arithmetic reads like that of one number. LLVM maps it to whatever
registers the processor has. Loops whose steps depend on each other, as those of a filter, cannot be vectorised over
time, but over eight filters they can.
"""

import operator
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.imputils import lower_builtin
from numba.core.typing.templates import ConcreteTemplate, infer_global, signature
from numba.extending import models, register_model

from forecast_kernels.jit import intrinsic

LANES = 8
_VECTOR = ir.VectorType(ir.DoubleType(), LANES)
_FLAGS = ("contract", "reassoc", "nsz")  # as in jit.py
_ALIGNMENT = 8  # NumPy promises no more


class Lanes(types.Type):
    """Numba's type of eight float64."""

    def __init__(self) -> None:
        super().__init__(name="Lanes")


lanes = Lanes()


@register_model(Lanes)
class _LanesModel(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, _VECTOR)  # type: ignore[no-untyped-call]


def _address(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    """Where row ``index`` of an array (m, 8) begins."""
    array = context.make_array(signature.args[0])(context, builder, arguments[0])
    index = context.cast(builder, arguments[1], signature.args[1], types.intp)
    start = builder.mul(index, ir.Constant(index.type, LANES))
    return builder.bitcast(builder.gep(array.data, [start]), _VECTOR.as_pointer())


@intrinsic
def load(typing_context: Any, array: Any, index: Any) -> Any:
    """Row ``index`` of a contiguous array (m, 8); as with `store`, an index out of range is not noticed."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.load(_address(context, builder, signature, arguments), align=_ALIGNMENT)

    return lanes(array, index), generate


@intrinsic
def store(typing_context: Any, array: Any, index: Any, value: Any) -> Any:
    """Write a value to row ``index`` of a contiguous array (m, 8)."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        builder.store(arguments[2], _address(context, builder, signature, arguments), align=_ALIGNMENT)
        return context.get_dummy_value()

    return types.none(array, index, lanes), generate


@intrinsic
def splat(typing_context: Any, number: Any) -> Any:
    """The same number in all lanes."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        value = context.cast(builder, arguments[0], signature.args[0], types.float64)
        nothing = ir.Constant(_VECTOR, ir.Undefined)
        first = builder.insert_element(nothing, value, ir.Constant(ir.IntType(32), 0))
        return builder.shuffle_vector(first, nothing, ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES))

    return lanes(number), generate


@intrinsic
def sqrt(typing_context: Any, value: Any) -> Any:
    """Square roots; NaN of negative numbers."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind = ir.FunctionType(_VECTOR, [_VECTOR])
        function = cgutils.get_or_insert_function(builder.module, kind, f"llvm.sqrt.v{LANES}f64")
        return builder.call(function, arguments)

    return lanes(lanes), generate


class _Binary(ConcreteTemplate):
    cases = [signature(lanes, lanes, lanes)]  # noqa: RUF012 - Numba's own interface


def _register(function: Any, instruction: str) -> None:
    infer_global(function)(type(f"_Lanes_{instruction}", (_Binary,), {}))

    @lower_builtin(function, lanes, lanes)  # type: ignore[untyped-decorator]
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return getattr(builder, instruction)(*arguments, flags=_FLAGS)


for _operator, _instruction in (
    (operator.add, "fadd"),
    (operator.iadd, "fadd"),
    (operator.sub, "fsub"),
    (operator.isub, "fsub"),
    (operator.mul, "fmul"),
    (operator.imul, "fmul"),
    (operator.truediv, "fdiv"),
    (operator.itruediv, "fdiv"),
):
    _register(_operator, _instruction)
