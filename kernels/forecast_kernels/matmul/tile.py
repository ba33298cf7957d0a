"""A register tile of a matrix product, written as SIMD by hand: LLVM's vectoriser does not find this shape.

Notation: R rows and V vectors of L lanes of the output stay in registers while K products are added up.
"""

from typing import Any

import llvmlite.binding as llvm
import llvmlite.ir as ir
from numba import types
from numba.core import cgutils

from forecast_kernels.jit import intrinsic

_FEATURES = llvm.get_host_cpu_features()
VECTOR_BYTES = 64 if _FEATURES.get("avx512f") else 32 if _FEATURES.get("avx2") else 16
VECTORS = 4 if VECTOR_BYTES == 64 else 2  # with 6 rows: 24 sums, 4 weights, 1 value in 32 registers; or 12, 2, 1 in 16


@intrinsic
def lanes_of(typing_context: Any, array: Any) -> Any:
    """L, how many values of this array's dtype fit into a vector; a constant when compiled."""
    lanes = VECTOR_BYTES * 8 // array.dtype.bitwidth

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return context.get_constant(types.intp, lanes)

    return types.intp(array), generate


@intrinsic
def tile_product(
    typing_context: Any,
    rows: Any,
    vectors: Any,
    a: Any,
    a_start: Any,
    a_row: Any,
    a_step: Any,
    b: Any,
    b_start: Any,
    b_step: Any,
    b_panel: Any,
    depth: Any,
    out: Any,
    out_start: Any,
    out_row: Any,
    columns: Any,
    add: Any,
) -> Any:
    """``out[r, n] (+)= sum over k of a[r, k] b[k, n]`` for R rows and at most V vectors of columns.

    ``rows`` and ``vectors`` are literals; ``add`` keeps what is in ``out``. Arrays are given with the offset of their
    first value and with strides, all counted in values: ``a`` by row and by k, ``b`` by k and from one panel of VECTORS
    vectors to the next, ``out`` by row. Only the first ``columns`` columns are read and written.
    """
    if not isinstance(rows, types.IntegerLiteral) or not isinstance(vectors, types.IntegerLiteral):
        return None
    R, V = range(rows.literal_value), range(vectors.literal_value)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        def integer(k: int) -> Any:
            return context.cast(builder, arguments[k], signature.args[k], types.intp)

        simd = _Simd(builder, context.get_value_type(a.dtype), a.dtype.bitwidth)
        a_data, b_data, out_data = (
            builder.gep(context.make_array(signature.args[k])(context, builder, arguments[k]).data, [integer(k + 1)])
            for k in (2, 6, 11)
        )
        a_row, a_step, b_step, b_panel, depth, out_row, columns = (integer(k) for k in (4, 5, 8, 9, 10, 13, 14))
        count, kept = simd.splat(columns), simd.splat(arguments[15])
        masks = [builder.icmp_signed("<", simd.indices(columns.type, v), count) for v in V]
        places = [[simd.at(out_data, builder.mul(out_row, out_row.type(r)), v) for v in V] for r in R]
        start = [[simd.load(places[r][v], builder.and_(masks[v], kept)) for v in V] for r in R]
        sums = [[cgutils.alloca_once_value(builder, start[r][v]) for v in V] for r in R]
        a_rows = [simd.opaque(builder.gep(a_data, [builder.mul(a_row, a_row.type(r))])) for r in R]
        panels = [builder.gep(b_data, [builder.mul(b_panel, b_panel.type(v))]) for v in range(-(-len(V) // VECTORS))]
        with cgutils.for_range(builder, depth) as loop:
            a_offset, b_offset = builder.mul(loop.index, a_step), builder.mul(loop.index, b_step)
            weights = [simd.load(simd.at(panels[v // VECTORS], b_offset, v % VECTORS), masks[v]) for v in V]
            for r in R:
                value = simd.splat(builder.load(builder.gep(a_rows[r], [a_offset])))
                for v in V:
                    builder.store(simd.fma(value, weights[v], builder.load(sums[r][v])), sums[r][v])
        for r in R:
            for v in V:
                simd.store(builder.load(sums[r][v]), places[r][v], masks[v])
        return context.get_dummy_value()

    arguments = (a, a_start, a_row, a_step, b, b_start, b_step, b_panel, depth, out, out_start, out_row, columns, add)
    return types.none(rows, vectors, *arguments), generate


@intrinsic
def copy_vectors(typing_context: Any, a: Any, a_start: Any, out: Any, out_start: Any, columns: Any) -> Any:
    """``out[n] = a[n]`` for at most V vectors of columns, the arrays given with the offset of their first value."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        def integer(k: int) -> Any:
            return context.cast(builder, arguments[k], signature.args[k], types.intp)

        simd = _Simd(builder, context.get_value_type(a.dtype), a.dtype.bitwidth)
        a_data, out_data = (context.make_array(signature.args[k])(context, builder, arguments[k]).data for k in (0, 2))
        columns = integer(4)
        count = simd.splat(columns)
        for v in range(VECTORS):
            mask = builder.icmp_signed("<", simd.indices(columns.type, v), count)
            simd.store(simd.load(simd.at(a_data, integer(1), v), mask), simd.at(out_data, integer(3), v), mask)
        return context.get_dummy_value()

    return types.none(a, a_start, out, out_start, columns), generate


class _Simd:
    """The vector instructions that a tile needs, for one scalar type."""

    def __init__(self, builder: Any, scalar: Any, bits: int) -> None:
        self.builder = builder
        self.lanes = VECTOR_BYTES * 8 // bits
        self.vector = ir.VectorType(scalar, self.lanes)
        self.zero = ir.Constant(self.vector, [0.0] * self.lanes)
        self._align = ir.Constant(ir.IntType(32), bits // 8)
        mask, pointer, name = (
            ir.VectorType(ir.IntType(1), self.lanes),
            self.vector.as_pointer(),
            f"v{self.lanes}f{bits}",
        )

        def declared(name: str, result: Any, *kinds: Any) -> Any:
            return cgutils.get_or_insert_function(builder.module, ir.FunctionType(result, kinds), name)

        self._fma = declared(f"llvm.fma.{name}", self.vector, *[self.vector] * 3)
        self._load = declared(f"llvm.masked.load.{name}.p0", self.vector, pointer, ir.IntType(32), mask, self.vector)
        self._store = declared(
            f"llvm.masked.store.{name}.p0", ir.VoidType(), self.vector, pointer, ir.IntType(32), mask
        )

    def at(self, data: Any, offset: Any, v: int) -> Any:
        """Pointer to the v-th vector from an offset."""
        place = self.builder.gep(data, [self.builder.add(offset, offset.type(v * self.lanes))])
        return self.builder.bitcast(place, self.vector.as_pointer())

    def opaque(self, pointer: Any) -> Any:
        """The same pointer, of which the compiler knows nothing: else it computes each row's from the one before."""
        return self.builder.asm(ir.FunctionType(pointer.type, [pointer.type]), "", "=r,0", [pointer], side_effect=False)

    def indices(self, kind: Any, v: int) -> Any:
        """The column that each lane of the v-th vector stands for."""
        return ir.Constant(ir.VectorType(kind, self.lanes), [v * self.lanes + lane for lane in range(self.lanes)])

    def splat(self, value: Any) -> Any:
        """A vector of one value."""
        undefined = ir.Constant(ir.VectorType(value.type, self.lanes), ir.Undefined)
        one = self.builder.insert_element(undefined, value, ir.IntType(32)(0))
        first = ir.Constant(ir.VectorType(ir.IntType(32), self.lanes), [0] * self.lanes)
        return self.builder.shuffle_vector(one, one, first)

    def load(self, place: Any, mask: Any) -> Any:
        """The lanes in the mask; 0 in the others, whose memory is not touched."""
        return self.builder.call(self._load, [place, self._align, mask, self.zero])

    def store(self, value: Any, place: Any, mask: Any) -> None:
        self.builder.call(self._store, [value, place, self._align, mask])

    def fma(self, a: Any, b: Any, c: Any) -> Any:
        return self.builder.call(self._fma, [a, b, c])
