"""Vectors of simulations as numbers: a Numba type whose arithmetic is SIMD instructions.

LLVM's vectoriser gives up on a loop over many arrays that might overlap, or rounds its remainder differently. Here nothing is
left to it: kernels compute with ``Lanes``, a fixed number of float64 or float32 that the compiler keeps in vector registers
(one AVX-512 or two AVX2 registers for 8 float64). Each lane is a simulation, and all lanes round alike, so a result cannot
depend on its place in the batch. Written expressions look as for plain numbers, and compile for plain numbers as well.
"""

import operator
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, lower_builtin, models, register_model, type_callable

# Fused multiply-adds are welcome; reordering is not. `reassoc` would fold (y + magic) - magic of primitives.py back into y.
FLAGS = ("contract", "nsz")


class Lanes(types.Type):
    """``width`` numbers of type ``scalar``."""

    def __init__(self, scalar: types.Float, width: int) -> None:
        self.scalar, self.width = scalar, width
        super().__init__(name=f"Lanes({scalar}, {width})")


class Mask(types.Type):
    """``width`` truth values."""

    def __init__(self, width: int) -> None:
        self.width = width
        super().__init__(name=f"Mask({width})")


def _real(scalar: Any) -> ir.Type:
    return ir.FloatType() if scalar == types.float32 else ir.DoubleType()


@register_model(Lanes)
class _LanesModel(models.PrimitiveModel):
    def __init__(self, dmm: Any, fe_type: Lanes) -> None:
        super().__init__(dmm, fe_type, ir.VectorType(_real(fe_type.scalar), fe_type.width))


@register_model(Mask)
class _MaskModel(models.PrimitiveModel):
    def __init__(self, dmm: Any, fe_type: Mask) -> None:
        super().__init__(dmm, fe_type, ir.VectorType(ir.IntType(1), fe_type.width))


def _splat(builder: Any, value: Any, width: int) -> Any:
    vector = ir.VectorType(value.type, width)
    undefined = ir.Constant(vector, ir.Undefined)
    first = builder.insert_element(undefined, value, ir.Constant(ir.IntType(32), 0))
    return builder.shuffle_vector(first, undefined, ir.Constant(ir.VectorType(ir.IntType(32), width), [0] * width))


def _as_lanes(context: Any, builder: Any, value: Any, kind: types.Type, wanted: Lanes) -> Any:
    if isinstance(kind, Lanes):
        return value
    return _splat(builder, context.cast(builder, value, kind, wanted.scalar), wanted.width)


def _common(a: types.Type, b: types.Type) -> Lanes | None:
    """The type of an expression of two operands, at least one of them Lanes."""
    if isinstance(a, Lanes):
        return a if a == b or isinstance(b, types.Number | types.Literal) else None
    return b if isinstance(b, Lanes) and isinstance(a, types.Number | types.Literal) else None


_PAIRS = ((Lanes, Lanes), (Lanes, types.Number), (types.Number, Lanes))


def _arithmetic(operation: Any, instruction: str) -> None:
    @type_callable(operation)
    def typing(context: Any) -> Any:
        return lambda a, b: _common(a, b)

    def lower(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        wanted = signature.return_type
        x, y = (_as_lanes(context, builder, v, t, wanted) for v, t in zip(arguments, signature.args, strict=True))
        return getattr(builder, instruction)(x, y, flags=FLAGS)

    for pair in _PAIRS:
        lower_builtin(operation, *pair)(lower)


for _name, _instruction in (("add", "fadd"), ("sub", "fsub"), ("mul", "fmul"), ("truediv", "fdiv")):
    _arithmetic(getattr(operator, _name), _instruction)
    _arithmetic(getattr(operator, f"i{_name}"), _instruction)


def _comparison(operation: Any, symbol: str) -> None:
    @type_callable(operation)
    def typing(context: Any) -> Any:
        def typer(a: types.Type, b: types.Type) -> Mask | None:
            common = _common(a, b)
            return None if common is None else Mask(common.width)

        return typer

    def lower(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        wanted = next(t for t in signature.args if isinstance(t, Lanes))
        x, y = (_as_lanes(context, builder, v, t, wanted) for v, t in zip(arguments, signature.args, strict=True))
        return builder.fcmp_ordered(symbol, x, y)

    for pair in _PAIRS:
        lower_builtin(operation, *pair)(lower)


_comparison(operator.lt, "<")
_comparison(operator.gt, ">")


@type_callable(operator.neg)
def _type_negative(context: Any) -> Any:
    return lambda a: a if isinstance(a, Lanes) else None


@lower_builtin(operator.neg, Lanes)
def _negative(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    return builder.fneg(arguments[0], flags=FLAGS)


@intrinsic
def _select(typingctx: Any, mask: Any, a: Any, b: Any) -> Any:
    """a where the mask holds, else b; both are computed. Plain booleans and numbers are taken too."""
    wanted = _common(a, b) or types.float64

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        condition, *values = arguments
        if isinstance(wanted, Lanes):
            values = [_as_lanes(context, builder, v, t, wanted) for v, t in zip(values, signature.args[1:], strict=True)]
        else:
            values = [context.cast(builder, v, t, wanted) for v, t in zip(values, signature.args[1:], strict=True)]
        return builder.select(condition, *values)

    return wanted(mask, a, b), codegen


@intrinsic
def _times_power_of_two(typingctx: Any, x: Any, exponent_bits: Any) -> Any:
    """x 2^n, where the low bits of the float ``exponent_bits`` hold the integer n: an addition to x's exponent."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        scalar = x.scalar if isinstance(x, Lanes) else x
        integer, mantissa = (ir.IntType(32), 23) if scalar == types.float32 else (ir.IntType(64), 52)
        if isinstance(x, Lanes):
            kind = ir.VectorType(integer, x.width)
            shift = ir.Constant(kind, [mantissa] * x.width)
        else:
            kind, shift = integer, ir.Constant(integer, mantissa)
        bits, n = (builder.bitcast(v, kind) for v in arguments)
        return builder.bitcast(builder.add(bits, builder.shl(n, shift)), arguments[0].type)

    return x(x, exponent_bits), codegen


@intrinsic
def _alone(typingctx: Any, x: Any) -> Any:
    """x, rounded as it is: no fused multiply-add takes in a product. LLVM fuses one into a sum if nothing else uses it, so that
    the same line could round differently in two functions."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind = arguments[0].type
        suffix = {"float": "f32", "double": "f64"}[str(kind.element if isinstance(kind, ir.VectorType) else kind)]
        name = "llvm.arithmetic.fence." + (f"v{kind.count}" if isinstance(kind, ir.VectorType) else "") + suffix
        fence = cgutils.get_or_insert_function(builder.module, ir.FunctionType(kind, [kind]), name)
        return builder.call(fence, arguments)

    return x(x), codegen


@intrinsic
def _everywhere(typingctx: Any, mask: Any) -> Any:
    """Whether the mask holds in all lanes. A plain boolean is taken too."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        if not isinstance(mask, Mask):
            return arguments[0]
        bits = ir.IntType(mask.width)
        return builder.icmp_unsigned("==", builder.bitcast(arguments[0], bits), ir.Constant(bits, (1 << mask.width) - 1))

    return types.boolean(mask), codegen


@intrinsic
def _align_stack(typingctx: Any) -> Any:
    """Makes the calling function keep its stack aligned to a cache line. Lanes that do not fit into the registers are spilled
    to the stack; unaligned, every second one of them would straddle two cache lines."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        byte = ir.IntType(8)
        slot = cgutils.alloca_once(builder, byte)
        slot.align = 64
        # a volatile store, so that the slot is not optimised away
        builder.asm(ir.FunctionType(ir.VoidType(), [slot.type]), "", "r", [slot], side_effect=True)
        return context.get_dummy_value()

    return types.void(), codegen


# Numba passes the typing context; to type checkers these are plain functions
align_stack: Any = _align_stack
alone: Any = _alone
everywhere: Any = _everywhere
select: Any = _select
times_power_of_two: Any = _times_power_of_two


def memory(width: int) -> tuple[Any, Any, Any, Any, Any, Any, Any, Any]:
    """(load, store, load_two, store_two, peek, poke, expect_load, expect_store).

    load and store ``width`` consecutive numbers of a C-contiguous array, at an index into its flat memory; load_two and store_two
    do so at two places, the second so many numbers after the first, as one vector of twice as many lanes; peek and poke do so
    with the plain number there; the last two say that a load or store there will come soon. Indices are not checked, and negative
    ones mean nothing (Numba's own indexing asks about the sign of every one).
    """

    def pointer(context: Any, builder: Any, array: types.Array, value: Any, index: Any) -> Any:
        begin = context.make_array(array)(context, builder, value).data
        vector = ir.VectorType(_real(array.dtype), width)
        return builder.bitcast(builder.gep(begin, [index]), vector.as_pointer())

    @intrinsic
    def load(typingctx: Any, array: Any, index: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            at = context.cast(builder, arguments[1], signature.args[1], types.intp)
            return builder.load(pointer(context, builder, array, arguments[0], at), align=array.dtype.bitwidth // 8)

        return Lanes(array.dtype, width)(array, index), codegen

    @intrinsic
    def store(typingctx: Any, array: Any, index: Any, value: Any) -> Any:
        wanted = Lanes(array.dtype, width)

        def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            at = context.cast(builder, arguments[1], signature.args[1], types.intp)
            lanes = _as_lanes(context, builder, arguments[2], value, wanted)
            builder.store(lanes, pointer(context, builder, array, arguments[0], at), align=array.dtype.bitwidth // 8)
            return context.get_dummy_value()

        return types.void(array, index, value), codegen

    def two_places(context: Any, builder: Any, signature: Any, arguments: Any) -> tuple[Any, Any]:
        at, apart = (context.cast(builder, arguments[i], signature.args[i], types.intp) for i in (1, 2))
        array = signature.args[0]
        first, second = (pointer(context, builder, array, arguments[0], i) for i in (at, builder.add(at, apart)))
        return first, second

    def lanes_of(builder: Any, x: Any, y: Any, first: int, end: int) -> Any:
        """Those of the two vectors, one after the other."""
        return builder.shuffle_vector(x, y, ir.Constant(ir.VectorType(ir.IntType(32), end - first), list(range(first, end))))

    @intrinsic
    def load_two(typingctx: Any, array: Any, index: Any, apart: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            x, y = (builder.load(p, align=array.dtype.bitwidth // 8) for p in two_places(context, builder, signature, arguments))
            return lanes_of(builder, x, y, 0, 2 * width)

        return Lanes(array.dtype, 2 * width)(array, index, apart), codegen

    @intrinsic
    def store_two(typingctx: Any, array: Any, index: Any, apart: Any, value: Any) -> Any:
        wanted = Lanes(array.dtype, 2 * width)

        def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            lanes = _as_lanes(context, builder, arguments[3], value, wanted)
            for i, place in enumerate(two_places(context, builder, signature, arguments)):
                half = lanes_of(builder, lanes, lanes, i * width, (i + 1) * width)
                builder.store(half, place, align=array.dtype.bitwidth // 8)
            return context.get_dummy_value()

        return types.void(array, index, apart, value), codegen

    @intrinsic
    def peek(typingctx: Any, array: Any, index: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            at = context.cast(builder, arguments[1], signature.args[1], types.intp)
            begin = context.make_array(array)(context, builder, arguments[0]).data
            return builder.load(builder.gep(begin, [at]))

        return array.dtype(array, index), codegen

    @intrinsic
    def poke(typingctx: Any, array: Any, index: Any, value: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            at = context.cast(builder, arguments[1], signature.args[1], types.intp)
            begin = context.make_array(array)(context, builder, arguments[0]).data
            builder.store(context.cast(builder, arguments[2], value, array.dtype), builder.gep(begin, [at]))
            return context.get_dummy_value()

        return types.void(array, index, value), codegen

    def expecting(write: bool) -> Any:
        @intrinsic
        def expect(typingctx: Any, array: Any, index: Any) -> Any:
            def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
                at = context.cast(builder, arguments[1], signature.args[1], types.intp)
                begin = context.make_array(array)(context, builder, arguments[0]).data
                place, number = builder.bitcast(builder.gep(begin, [at]), cgutils.voidptr_t), ir.IntType(32)
                kind = ir.FunctionType(ir.VoidType(), [place.type, number, number, number])
                prefetch = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0i8")
                # of data; for a store as near as can be, for a load a step later into the second-level cache
                builder.call(prefetch, [place, number(int(write)), number(3 if write else 2), number(1)])
                return context.get_dummy_value()

            return types.void(array, index), codegen

        return expect

    return load, store, load_two, store_two, peek, poke, expecting(write=False), expecting(write=True)
