"""What is done to the code: operators of cosmic-ray that make realistic faults, and ours for what it has none.

Ours drop what a crash or an odd input alone would miss: a call, a guard, a lock, an operand, a sort; or bend the SQL in
our strings.
"""

import re
from collections.abc import Callable, Iterator

import parso
from cosmic_ray.operators import (
    binary_operator_replacement,
    boolean_replacer,
    break_continue,
    comparison_operator_replacement,
    number_replacer,
    unary_operator_replacement,
    zero_iteration_for_loop,
)
from cosmic_ray.operators.operator import Operator
from parso.python.tree import Name
from parso.tree import NodeOrLeaf

# nodes of one parent, or the node itself, each with the text that takes its place
Change = list[tuple[NodeOrLeaf, str]]

# of all pairs of operators these are the slips of a hand; the rest is noticed by any test that gets there
_COMPARISONS = ("Eq_NotEq", "NotEq_Eq", "Lt_LtE", "LtE_Lt", "Gt_GtE", "GtE_Gt", "Lt_Gt", "Gt_Lt", "LtE_GtE", "GtE_LtE")
_COMPARISONS += ("Is_IsNot", "IsNot_Is")
# not `/` and `|`: of paths and dictionaries they make what cannot run at all
_BINARY = ("Add_Sub", "Sub_Add", "Mul_Div", "FloorDiv_Mul", "Mod_Mul", "BitAnd_BitOr")
_UNARY = ("Delete_Not", "Delete_USub")

_NAMES = {"min": "max", "max": "min", "any": "all", "all": "any", "sorted": "list"}
_NAMES |= {"startswith": "endswith", "partition": "rpartition", "rpartition": "partition", "lower": "upper"}
# arguments that a call does without
_OPTIONAL = {"create", "default", "durable", "exist_ok", "follow_symlinks", "key", "missing_ok", "mode", "reverse"}
_OPTIONAL |= {"parents", "read_only", "strict", "timeout"}

_SQL = re.compile(r"\b(select|from|where|order by|group by|join|coalesce|case when)\b| (desc|<>|<=|is not null)(?!\w)")
_SQL_SLIPS = (
    (r" desc\b", ""),
    (r"\bnulls last\b", "nulls first"),
    (r" and ", " or "),
    (r" or ", " and "),
    (r"(?<= )<(?= )", "<="),
    (r"<=", "<"),
    (r"(?<= )>(?= )", ">="),
    (r">=", ">"),
    (r"(?<= )=(?= )", "<>"),
    (r"\bmin\(", "max("),
    (r"\bmax\(", "min("),
    (r"\bmin_by\(", "max_by("),
    (r"\bmax_by\(", "min_by("),
    (r"\bnot in\b", "in"),
    (r"\bis not null\b", "is null"),
    (r"\bis null\b", "is not null"),
    (r"\bnot\b(?! in| null)", ""),
    (r"\bleft join\b", "join"),
    (r"\bunion all\b", "union"),
    (r"\bdistinct ", ""),
    (r" order by [\w., ]+", ""),
)


def _is_call(node: NodeOrLeaf) -> bool:
    last = node.children[-1] if node.type in ("atom_expr", "power") else None
    return last is not None and last.type == "trailer" and last.children[0].value == "("


def _statement(node: NodeOrLeaf) -> NodeOrLeaf | None:
    return node.children[0] if node.type == "simple_stmt" else None


def drop_call(node: NodeOrLeaf) -> Iterator[Change]:
    """A call whose answer nobody wants is not made."""
    if (statement := _statement(node)) is not None and _is_call(statement):
        yield [(statement, "pass")]


def drop_raise(node: NodeOrLeaf) -> Iterator[Change]:
    """An error is not raised; what cannot come, cannot be missed."""
    statement = _statement(node)
    if (
        statement is not None
        and statement.get_first_leaf().value == "raise"
        and "Assertion" not in statement.get_code()
    ):
        yield [(statement, "pass")]


def drop_assignment(node: NodeOrLeaf) -> Iterator[Change]:
    """An attribute or an item is not set, or a number not added to; without what `__init__` sets nothing runs."""
    statement = _statement(node)
    if statement is not None and statement.type == "expr_stmt":
        function = parso.tree.search_ancestor(node, "funcdef")
        if function is not None and function.name.value == "__init__":
            return
        target, operator = statement.children[:2]
        if target.type in ("atom_expr", "power") or getattr(operator, "value", "=") != "=":
            yield [(statement, "pass")]


def swap_statements(node: NodeOrLeaf) -> Iterator[Change]:
    """Two calls, one after the other, are made the other way round."""
    if node.type in ("suite", "file_input"):
        for one, other in zip(node.children, node.children[1:], strict=False):
            first, second = _statement(one), _statement(other)
            if first is not None and second is not None and _is_call(first) and _is_call(second):
                yield [(first, second.get_code(False)), (second, first.get_code(False))]


def drop_context(node: NodeOrLeaf) -> Iterator[Change]:
    """A block runs without the lock, or the like, that it names nothing of."""
    if node.type == "with_stmt":
        items = node.children[1:-2:2]
        if len(items) == 1 and items[0].type != "with_item":
            yield [(node.children[0], "if"), (items[0], "True")]
        elif len(items) > 1:
            yield from ([(item, "nullcontext()")] for item in items if item.type != "with_item")


def decide(node: NodeOrLeaf) -> Iterator[Change]:
    """What depends on a condition depends on nothing."""
    if node.type == "if_stmt":
        for word, condition in zip(node.children, node.children[1:], strict=False):
            if getattr(word, "value", None) in ("if", "elif"):
                yield [(condition, "True")]
                yield [(condition, "False")]
    elif node.type in ("test", "ternary"):
        yield [(node, node.children[0].get_code(False))]
        yield [(node, node.children[4].get_code(False))]
    elif node.type in ("comp_if", "sync_comp_if"):
        yield [(node.children[1], "True")]


def drop_operand(node: NodeOrLeaf) -> Iterator[Change]:
    """One operand of `and`, `or` or a union is left out."""
    if node.type in ("and_test", "or_test") or (node.type == "expr" and node.children[1].value == "|"):
        if parso.tree.search_ancestor(node, "funcdef") is None:
            # names of types
            return
        operands = node.children[::2]
        word = f" {node.children[1].value} "
        for left_out in operands:
            yield [(node, word.join(one.get_code(False) for one in operands if one is not left_out))]


def drop_handler(node: NodeOrLeaf) -> Iterator[Change]:
    """An error is let through where it was dealt with."""
    if node.type == "try_stmt":
        for clause, suite in zip(node.children, node.children[2:], strict=False):
            if clause.type == "except_clause" and suite.type == "suite":
                indentation = " " * suite.children[1].get_first_leaf().start_pos[1]
                yield [(suite, f"\n{indentation}raise\n")]


def drop_argument(node: NodeOrLeaf) -> Iterator[Change]:
    """An option of a call is left to its default."""
    if node.type == "arglist":
        for argument in node.children:
            if _is_optional(argument):
                kept = [other.get_code(False) for other in node.children[::2] if other is not argument]
                yield [(node, ", ".join(kept))]
    elif node.type == "trailer" and _is_optional(node.children[1]):
        yield [(node.children[1], "")]


def _is_optional(node: NodeOrLeaf) -> bool:
    return node.type == "argument" and getattr(node.children[0], "value", None) in _OPTIONAL


def change_name(node: NodeOrLeaf) -> Iterator[Change]:
    """A function is taken for its like."""
    if node.type == "name" and node.value in _NAMES and node.get_next_leaf().value == "(":
        yield [(node, _NAMES[node.value])]


def change_membership(node: NodeOrLeaf) -> Iterator[Change]:
    """What is in is taken for what is not."""
    if node.type == "comparison":
        for operator in node.children[1::2]:
            if (words := operator.get_code(False)) in ("in", "not in"):
                yield [(operator, "not in" if words == "in" else "in")]


def change_sql(node: NodeOrLeaf) -> Iterator[Change]:
    """SQL in a string asks for something else."""
    if node.type in ("string", "fstring_string"):
        whole = node
        while whole.parent.type in ("strings", "fstring"):
            whole = whole.parent
        if whole.parent.type != "simple_stmt" and _SQL.search(whole.get_code()):
            for pattern, instead in _SQL_SLIPS:
                for found in re.finditer(pattern, node.value):
                    yield [(node, node.value[: found.start()] + instead + node.value[found.end() :])]


def _operator(changes: Callable[[NodeOrLeaf], Iterator[Change]]) -> Operator:
    """`changes` as an operator of cosmic-ray."""

    class Ours(Operator):
        def mutation_positions(self, node):
            for change in changes(node):
                yield change[0][0].start_pos, change[-1][0].end_pos

        def mutate(self, node, index):
            for target, text in list(changes(node))[index]:
                leaf = Name(text, target.start_pos, target.get_first_leaf().prefix)
                if target is node:
                    return leaf
                holder = target.parent
                holder.children[holder.children.index(target)] = leaf
            return node

        @classmethod
        def examples(cls):
            return ()

    return Ours()


def _of(module: object, prefix: str, pairs: tuple[str, ...]) -> dict[str, Operator]:
    return {f"{prefix}_{pair}": getattr(module, f"{prefix}_{pair}")() for pair in pairs}


OPERATORS: dict[str, Operator] = {
    **_of(comparison_operator_replacement, "ReplaceComparisonOperator", _COMPARISONS),
    **_of(binary_operator_replacement, "ReplaceBinaryOperator", _BINARY),
    **_of(unary_operator_replacement, "ReplaceUnaryOperator", _UNARY),
    **{
        one.__name__: one()
        for one in (
            boolean_replacer.ReplaceTrueWithFalse,
            boolean_replacer.ReplaceFalseWithTrue,
            boolean_replacer.ReplaceAndWithOr,
            boolean_replacer.ReplaceOrWithAnd,
            boolean_replacer.AddNot,
            break_continue.ReplaceBreakWithContinue,
            break_continue.ReplaceContinueWithBreak,
            number_replacer.NumberReplacer,
            zero_iteration_for_loop.ZeroIterationForLoop,
        )
    },
    **{
        one.__name__: _operator(one)
        for one in (
            drop_call,
            drop_raise,
            drop_assignment,
            swap_statements,
            drop_context,
            decide,
            drop_operand,
            drop_handler,
            drop_argument,
            change_name,
            change_membership,
            change_sql,
        )
    },
}


def parse(source: str) -> NodeOrLeaf:
    """The tree of `source` that operators look at."""
    return parso.parse(source)
