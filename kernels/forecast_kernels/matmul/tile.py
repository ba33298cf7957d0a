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
    depth: Any,
    out: Any,
    out_start: Any,
    out_row: Any,
    columns: Any,
    add: Any,
) -> Any:
    """``out[r, n] (+)= sum over k of a[r, k] b[k, n]`` for R rows and at most V vectors of columns.

    ``rows`` and ``vectors`` are literals; ``add`` keeps what is in ``out``. Arrays are given with the offset of their
    first value and with strides, all counted in values: ``a`` by row and by k, ``b`` by k, ``out`` by row. Only the
    first ``columns`` columns are read and written.
    """
    if not isinstance(rows, types.IntegerLiteral) or not isinstance(vectors, types.IntegerLiteral):
        return None
    R, V = range(rows.literal_value), range(vectors.literal_value)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        def integer(k: int) -> Any:
            return context.cast(builder, arguments[k], signature.args[k], types.intp)

        def place(k: int, offset: Any) -> Any:
            array = context.make_array(signature.args[k])(context, builder, arguments[k])
            return builder.gep(array.data, [offset])

        simd = _Simd(builder, context.get_value_type(a.dtype), a.dtype.bitwidth)
        depth, out_row, columns = integer(9), integer(12), integer(13)
        count, kept = simd.splat(columns), simd.splat(arguments[14])
        masks = [builder.icmp_signed("<", simd.indices(columns.type, v), count) for v in V]
        out_data = place(10, integer(11))
        places = [[simd.at(out_data, builder.mul(out_row, out_row.type(r)), v) for v in V] for r in R]
        start = [[simd.load(places[r][v], builder.and_(masks[v], kept)) for v in V] for r in R]
        a_data, a_row, a_step = place(2, integer(3)), integer(4), integer(5)
        b_data, b_step = place(6, integer(7)), integer(8)

        before = builder.block
        loop, done = builder.append_basic_block("tile"), builder.append_basic_block("tile.done")
        builder.cbranch(builder.icmp_signed(">", depth, depth.type(0)), loop, done)

        builder.position_at_end(loop)
        k = builder.phi(depth.type)
        sums = [[builder.phi(simd.vector) for _ in V] for _ in R]
        b_offset, a_column = builder.mul(k, b_step), builder.gep(a_data, [builder.mul(k, a_step)])
        weights = [simd.load(simd.at(b_data, b_offset, v), masks[v]) for v in V]
        after = []
        for r in R:
            value = simd.splat(builder.load(builder.gep(a_column, [builder.mul(a_row, a_row.type(r))])))
            after.append([simd.fma(value, weights[v], sums[r][v]) for v in V])
        next_k = builder.add(k, k.type(1))
        k.add_incoming(k.type(0), before)
        k.add_incoming(next_k, loop)
        builder.cbranch(builder.icmp_signed("<", next_k, depth), loop, done)

        builder.position_at_end(done)
        totals = [[builder.phi(simd.vector) for _ in V] for _ in R]
        for r in R:
            for v in V:
                for phi in (sums[r][v], totals[r][v]):
                    phi.add_incoming(start[r][v], before)
                    phi.add_incoming(after[r][v], loop)
        for r in R:
            for v in V:
                simd.store(totals[r][v], places[r][v], masks[v])
        return context.get_dummy_value()

    arguments = (a, a_start, a_row, a_step, b, b_start, b_step, depth, out, out_start, out_row, columns, add)
    return types.none(rows, vectors, *arguments), generate


class _Simd:
    """The vector instructions that a tile needs, for one scalar type."""

    def __init__(self, builder: Any, scalar: Any, bits: int) -> None:
        self.builder = builder
        self.lanes = VECTOR_BYTES * 8 // bits
        self.vector = ir.VectorType(scalar, self.lanes)
        self._zero = ir.Constant(self.vector, [0.0] * self.lanes)
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
        return self.builder.call(self._load, [place, self._align, mask, self._zero])

    def store(self, value: Any, place: Any, mask: Any) -> None:
        self.builder.call(self._store, [value, place, self._align, mask])

    def fma(self, a: Any, b: Any, c: Any) -> Any:
        return self.builder.call(self._fma, [a, b, c])
