"""A register tile of a matrix product, written as SIMD by hand: LLVM's own vectoriser does not find this shape.

Notation: R rows and V vectors of L lanes of the output are held in registers while K products are added up.
"""

from typing import Any

import llvmlite.binding as llvm
import llvmlite.ir as ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

_FEATURES = llvm.get_host_cpu_features()
VECTOR_BYTES = 64 if _FEATURES.get("avx512f") else 32 if _FEATURES.get("avx2") else 16
# R x V accumulators, V weights and one broadcast value fill the register file: 32 registers with AVX-512, else 16 or 32.
VECTORS = 4 if VECTOR_BYTES == 64 else 2
ROWS = 6 if VECTOR_BYTES != 16 else 4


@intrinsic(prefer_literal=True)
def lanes_of(typing_context: Any, array: Any) -> Any:
    """L, the values of this array's dtype that fit into a vector; a constant when compiled."""
    lanes = VECTOR_BYTES * 8 // array.dtype.bitwidth

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return context.get_constant(types.intp, lanes)

    return types.intp(array), generate


@intrinsic(prefer_literal=True)
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

    ``rows`` and ``vectors`` are literals; ``add`` keeps what is in ``out``. Arrays are given with the offset of their first value and with
    strides, all counted in values: ``a`` by row and by k, ``b`` by k, ``out`` by row. Only the first ``columns`` columns
    are read and written.
    """
    if not isinstance(rows, types.IntegerLiteral) or not isinstance(vectors, types.IntegerLiteral):
        return None
    R, V, dtype = rows.literal_value, vectors.literal_value, a.dtype
    lanes = VECTOR_BYTES * 8 // dtype.bitwidth

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        (a_start, a_row, a_step, b_start, b_step, depth, out_start, out_row, columns) = (
            context.cast(builder, arguments[i], signature.args[i], types.intp) for i in (3, 4, 5, 7, 8, 9, 11, 12, 13)
        )
        scalar = context.get_value_type(dtype)
        vector = ir.VectorType(scalar, lanes)
        mask_type = ir.VectorType(ir.IntType(1), lanes)
        name = f"v{lanes}f{dtype.bitwidth}.p0"
        module = builder.module
        fma = cgutils.get_or_insert_function(
            module, ir.FunctionType(vector, [vector] * 3), f"llvm.fma.v{lanes}f{dtype.bitwidth}"
        )
        load = cgutils.get_or_insert_function(
            module,
            ir.FunctionType(vector, [vector.as_pointer(), ir.IntType(32), mask_type, vector]),
            f"llvm.masked.load.{name}",
        )
        store = cgutils.get_or_insert_function(
            module,
            ir.FunctionType(ir.VoidType(), [vector, vector.as_pointer(), ir.IntType(32), mask_type]),
            f"llvm.masked.store.{name}",
        )
        align = ir.Constant(ir.IntType(32), dtype.bitwidth // 8)
        zero = ir.Constant(vector, [0.0] * lanes)

        def data(index: int, start: Any) -> Any:
            array = context.make_array(signature.args[index])(context, builder, arguments[index])
            return builder.gep(array.data, [start])

        def splat(value: Any) -> Any:
            one = builder.insert_element(
                ir.Constant(ir.VectorType(value.type, lanes), ir.Undefined), value, ir.IntType(32)(0)
            )
            return builder.shuffle_vector(one, one, ir.Constant(ir.VectorType(ir.IntType(32), lanes), [0] * lanes))

        def at(pointer: Any, offset: Any) -> Any:
            return builder.gep(pointer, [offset])

        intp = columns.type
        count = splat(columns)
        masks = []
        for v in range(V):
            lane = ir.Constant(ir.VectorType(intp, lanes), [v * lanes + i for i in range(lanes)])
            masks.append(builder.icmp_signed("<", lane, count))

        a_data, b_data, out_data = data(2, a_start), data(6, b_start), data(10, out_start)
        places = [
            [
                builder.bitcast(
                    at(out_data, builder.add(builder.mul(out_row, intp(r)), intp(v * lanes))), vector.as_pointer()
                )
                for v in range(V)
            ]
            for r in range(R)
        ]
        kept = [builder.and_(mask, splat(arguments[14])) for mask in masks]
        start = [[builder.call(load, [places[r][v], align, kept[v], zero]) for v in range(V)] for r in range(R)]

        before = builder.block
        loop, done = builder.append_basic_block("tile"), builder.append_basic_block("tile.done")
        builder.cbranch(builder.icmp_signed(">", depth, intp(0)), loop, done)
        builder.position_at_end(loop)
        k = builder.phi(intp)
        k.add_incoming(intp(0), before)
        sums = [[builder.phi(vector) for _ in range(V)] for _ in range(R)]
        b_row = at(b_data, builder.mul(k, b_step))
        weights = [
            builder.call(
                load, [builder.bitcast(at(b_row, intp(v * lanes)), vector.as_pointer()), align, masks[v], zero]
            )
            for v in range(V)
        ]
        a_column = at(a_data, builder.mul(k, a_step))
        after = []
        for r in range(R):
            value = splat(builder.load(at(a_column, builder.mul(a_row, intp(r)))))
            after.append([builder.call(fma, [value, weights[v], sums[r][v]]) for v in range(V)])
        next_k = builder.add(k, intp(1))
        k.add_incoming(next_k, loop)
        for r in range(R):
            for v in range(V):
                sums[r][v].add_incoming(start[r][v], before)
                sums[r][v].add_incoming(after[r][v], loop)
        builder.cbranch(builder.icmp_signed("<", next_k, depth), loop, done)
        builder.position_at_end(done)
        for r in range(R):
            for v in range(V):
                total = builder.phi(vector)
                total.add_incoming(start[r][v], before)
                total.add_incoming(after[r][v], loop)
                sums[r][v] = total
        for r in range(R):
            for v in range(V):
                builder.call(store, [sums[r][v], places[r][v], align, masks[v]])
        return context.get_dummy_value()

    arguments = (
        rows,
        vectors,
        a,
        a_start,
        a_row,
        a_step,
        b,
        b_start,
        b_step,
        depth,
        out,
        out_start,
        out_row,
        columns,
        add,
    )
    return types.none(*arguments), generate
