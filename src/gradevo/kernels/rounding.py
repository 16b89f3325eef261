"""Which products of generated code become part of a fused multiply-add is said by the code, never left to the compiler.

In x y + z, the product is fused into the sum. In u v + x y one product can be, and the other is rounded first; LLVM takes
either, and not the same for vectors that fill a register and for those that it has to split (with AVX-512 those of
``advance_two``). A number would then depend, in its last digit, on how many compartments advance at a time.
"""

import ast


def fuse_first(code: str) -> str:
    """The code, in which the second of two products that are added or subtracted is rounded by itself (lanes.py, ``alone``)."""
    lines, marks = code.split("\n"), list[tuple[int, int, str]]()
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.BinOp) and two_products(node):
            second = node.right
            assert second.end_lineno is not None
            assert second.end_col_offset is not None
            marks += [(second.lineno, second.col_offset, "alone("), (second.end_lineno, second.end_col_offset, ")")]
    # from the end, so that what is before stays where it was
    for number, at, mark in sorted(marks, reverse=True):
        line = lines[number - 1]
        lines[number - 1] = line[:at] + mark + line[at:]
    return "\n".join(lines)


def two_products(node: ast.BinOp) -> bool:
    """Whether both of what is added or subtracted are products."""
    return isinstance(node.op, ast.Add | ast.Sub) and _is_product(node.left) and _is_product(node.right)


def _is_product(node: ast.expr) -> bool:
    if isinstance(node, ast.UnaryOp):
        return _is_product(node.operand)
    return isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult)
