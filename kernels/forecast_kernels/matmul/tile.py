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
def lanes_of(typing_context: Any, values: Any) -> Any:
    """L, how many values of this array's or pointer's dtype fit into a vector; a constant when compiled."""
    lanes = VECTOR_BYTES * 8 // values.dtype.bitwidth

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return context.get_constant(types.intp, lanes)

    return types.intp(values), generate


@intrinsic
def place(typing_context: Any, values: Any, offset: Any) -> Any:
    """Pointer to the value at an offset from a pointer, or in a C-contiguous array counted flat.

    Arrays count their references, which takes as long as a small tile; pointers do not, and live as long as the array.
    """
    if isinstance(values, types.Array) and values.layout != "C":
        return None

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        start = arguments[0]
        if isinstance(values, types.Array):
            start = context.make_array(values)(context, builder, start).data
        return builder.gep(start, [context.cast(builder, arguments[1], offset, types.intp)])

    return types.CPointer(values.dtype)(values, offset), generate


@intrinsic
def tile_product(
    typing_context: Any,
    rows: Any,
    vectors: Any,
    a: Any,
    a_row: Any,
    a_step: Any,
    b: Any,
    b_step: Any,
    b_panel: Any,
    depth: Any,
    out: Any,
    out_row: Any,
    columns: Any,
    add: Any,
) -> Any:
    """``out[r, n] (+)= sum over k of a[r, k] b[k, n]`` for R rows and at most V vectors of columns.

    ``rows`` and ``vectors`` are literals; ``add`` keeps what is in ``out``. Matrices are pointers with strides counted
    in values: ``a`` by row and by k, ``b`` by k and from one panel of VECTORS vectors to the next, ``out`` by row. Only
    the first ``columns`` columns are read and written.
    """
    if not isinstance(rows, types.IntegerLiteral) or not isinstance(vectors, types.IntegerLiteral):
        return None
    R, V = range(rows.literal_value), range(vectors.literal_value)
    given = (a, a_row, a_step, b, b_step, b_panel, depth, out, out_row, columns, add)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        integers = {3, 4, 6, 7, 8, 10, 11}
        _, _, a, a_row, a_step, b, b_step, b_panel, depth, out, out_row, columns, add = (
            context.cast(builder, value, signature.args[k], types.intp) if k in integers else value
            for k, value in enumerate(arguments)
        )
        simd = _Simd(builder, a.type.pointee)
        count = simd.splat(columns)
        masks = [builder.icmp_signed("<", simd.indices(columns.type, v), count) for v in V]
        places = [[simd.at(out, builder.mul(out_row, out_row.type(r)), v) for v in V] for r in R]
        sums = [[cgutils.alloca_once_value(builder, simd.zero) for _ in V] for _ in R]
        with builder.if_then(add):
            for r in R:
                for v in V:
                    builder.store(simd.load(places[r][v], masks[v]), sums[r][v])
        a_rows = [simd.opaque(builder.gep(a, [builder.mul(a_row, a_row.type(r))])) for r in R]
        panels = [builder.gep(b, [builder.mul(b_panel, b_panel.type(v))]) for v in range(-(-len(V) // VECTORS))]
        with cgutils.for_range(builder, depth) as loop:
            a_offset, b_offset = builder.mul(loop.index, a_step), builder.mul(loop.index, b_step)
            weights = [simd.load(simd.at(panels[v // VECTORS], b_offset, v % VECTORS)) for v in V]
            for r in R:
                value = simd.splat(builder.load(builder.gep(a_rows[r], [a_offset])))
                for v in V:
                    builder.store(simd.fma(value, weights[v], builder.load(sums[r][v])), sums[r][v])
        for r in R:
            for v in V:
                simd.store(builder.load(sums[r][v]), places[r][v], masks[v])
        return context.get_dummy_value()

    return types.none(rows, vectors, *given), generate


@intrinsic
def copy_vectors(typing_context: Any, vectors: Any, source: Any, columns: Any, target: Any) -> Any:
    """``target[n] = source[n]`` for n < columns, and 0 in what is left of V vectors; of pointers, V a literal."""
    if not isinstance(vectors, types.IntegerLiteral):
        return None

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        _, source, columns, target = arguments
        columns = context.cast(builder, columns, signature.args[2], types.intp)
        simd = _Simd(builder, source.type.pointee)
        count, zero = simd.splat(columns), columns.type(0)
        for v in range(vectors.literal_value):
            mask = builder.icmp_signed("<", simd.indices(columns.type, v), count)
            simd.store(simd.load(simd.at(source, zero, v), mask), simd.at(target, zero, v))
        return context.get_dummy_value()

    return types.none(vectors, source, columns, target), generate


class _Simd:
    """The vector instructions that a tile needs, for one scalar type."""

    def __init__(self, builder: Any, scalar: Any) -> None:
        self.builder = builder
        bits = 64 if isinstance(scalar, ir.DoubleType) else 32
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

    def load(self, place: Any, mask: Any = None) -> Any:
        """The lanes in the mask, by default all; 0 in the others, whose memory is not touched."""
        if mask is None:
            return self.builder.load(place, align=self._align.constant)
        return self.builder.call(self._load, [place, self._align, mask, self.zero])

    def store(self, value: Any, place: Any, mask: Any = None) -> None:
        if mask is None:
            self.builder.store(value, place, align=self._align.constant)
        else:
            self.builder.call(self._store, [value, place, self._align, mask])

    def fma(self, a: Any, b: Any, c: Any) -> Any:
        return self.builder.call(self._fma, [a, b, c])
