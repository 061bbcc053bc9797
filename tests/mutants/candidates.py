"""Mutants of a Python file: small changes of one line that a test should detect.

Cosmic Ray's operators make most of them. Two more drop a call statement and an operand of
``and`` / ``or``.
"""

from __future__ import annotations

import ast
import difflib
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass

import parso
from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code
from cosmic_ray.operators.operator import Example, Operator
from cosmic_ray.plugins import get_operator, operator_names

IGNORED = re.compile(
    r"RemoveDecorator$|VariableReplacer$|VariableInserter$"  # the last two need a name each
    r"|UnaryOperator_.*_Invert$"  # -1 to ~1 is no likely slip
    r"|ComparisonOperator_(?!Is_IsNot|IsNot_Is).*(_Is|_IsNot)$"  # of numbers: a warning, not a bug
    r"|BinaryOperator_(?!Add_Sub|Sub_Add|Mul_Div|Div_Mul|FloorDiv_Mul|Mod_Mul|Pow_Mul"
    r"|BitAnd_BitOr|BitOr_BitAnd|LShift_RShift|RShift_LShift)"  # one plausible slip an operator
)
"""Operators that are left out."""

Position = tuple[int, int]
Span = tuple[Position, Position]


@dataclass(frozen=True, slots=True)
class Mutant:
    """One changed line of a file; ``function`` is the innermost function or class around it."""

    file: str
    line: int
    function: str
    before: str
    after: str
    source: str
    """The whole mutated file."""

    @property
    def key(self) -> tuple[str, str, str, str]:
        """Return the identity of the mutant, which does not change when its line moves."""
        return self.file, self.function, self.before, self.after

    def diff(self, original: str) -> str:
        """Return the unified diff against the original file, one line of context."""
        lines = difflib.unified_diff(
            original.splitlines(), self.source.splitlines(),
            f"a/{self.file}", f"b/{self.file}", lineterm="", n=1,
        )  # fmt: skip
        return "\n".join(lines)


class DropCall(Operator):
    """Replace a statement that is one call with ``pass``."""

    def mutation_positions(self, node: parso.tree.NodeOrLeaf) -> Iterator[Span]:
        """Yield the span of a call statement."""
        parent = getattr(node, "parent", None)
        is_statement = parent is not None and parent.type == "simple_stmt"
        if is_statement and node.type == "atom_expr" and _ends_in_call(node):
            yield node.start_pos, node.end_pos

    def mutate(self, node: parso.tree.NodeOrLeaf, index: int) -> parso.tree.NodeOrLeaf:
        """Return ``pass`` with the indentation of the call."""
        statement = parso.parse("pass").children[0]
        statement.prefix = node.get_first_leaf().prefix
        return statement

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        """Return examples for Cosmic Ray's own tests."""
        return (Example("x()", "pass"),)


class DropOperand(Operator):
    """Replace ``a and b`` or ``a or b`` with each of its operands left out in turn."""

    def mutation_positions(self, node: parso.tree.NodeOrLeaf) -> Iterator[Span]:
        """Yield the span of each operand."""
        if node.type in {"and_test", "or_test"}:
            for operand in node.children[::2]:
                yield operand.start_pos, operand.end_pos

    def mutate(self, node: parso.tree.NodeOrLeaf, index: int) -> parso.tree.NodeOrLeaf:
        """Return the expression without one operand."""
        prefix = node.get_first_leaf().prefix
        first = max(0, 2 * index - 1)  # the operator goes with its operand
        left = node.children[:first] + node.children[first + 2 :]
        left[0].get_first_leaf().prefix = prefix
        node.children = left
        return node

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        """Return examples for Cosmic Ray's own tests."""
        return (Example("a and b", "b"), Example("a and b", "a", 1))


def _ends_in_call(node: parso.tree.BaseNode) -> bool:
    last = node.children[-1]
    return last.type == "trailer" and last.children[0].value == "("


def operators() -> Iterator[Operator]:
    """Yield every operator that changes a line."""
    for name in operator_names():
        if not IGNORED.search(name):
            yield get_operator(name)()
    yield DropCall()
    yield DropOperand()


def mutants(file: str, source: str) -> list[Mutant]:
    """Return every mutant of a file that compiles and changes exactly one line."""
    tree = ast.parse(source)
    original, ignored = ast.dump(tree), list(_ignored_spans(tree))
    nodes, lines = list(ast_nodes(get_ast(source))), source.splitlines()
    found: dict[tuple[str, ...], Mutant] = {}
    for operator in operators():
        spans = [span for node in nodes for span in operator.mutation_positions(node)]
        for occurrence, ((line, column), _) in enumerate(spans):
            if any(start <= (line, column) < end for start, end in ignored):
                continue
            mutated = mutate_code(source, operator, occurrence)
            changed = _changed_lines(lines, (mutated or "").splitlines())
            if mutated is None or changed != [line - 1] or not _differs(mutated, original):
                continue
            mutant = Mutant(
                file, line, _function_at(tree, line), lines[line - 1].strip(),
                mutated.splitlines()[line - 1].strip(), mutated,
            )  # fmt: skip
            if not _is_tuning(tree, mutant):
                found.setdefault(mutant.key, mutant)
    return list(found.values())


def sample(candidates: list[Mutant], count: int, seed: int) -> list[Mutant]:
    """Return at most ``count`` mutants, one a line, in an order that depends on seed and text.

    The order does not depend on line numbers: an edit changes the sample only by its own lines.
    """
    ranked = sorted(candidates, key=lambda mutant: _rank(mutant, seed))
    one_a_line: dict[int, Mutant] = {}
    for mutant in ranked:
        one_a_line.setdefault(mutant.line, mutant)
    return list(one_a_line.values())[:count]


def _rank(mutant: Mutant, seed: int) -> bytes:
    return hashlib.sha256("\0".join((str(seed), *mutant.key)).encode()).digest()


def _changed_lines(before: list[str], after: list[str]) -> list[int]:
    if len(before) != len(after):
        return []
    return [n for n, pair in enumerate(zip(before, after, strict=True)) if pair[0] != pair[1]]


def _differs(mutated: str, original: str) -> bool:
    try:
        return ast.dump(ast.parse(mutated)) != original
    except SyntaxError:
        return False


def _ignored_spans(tree: ast.Module) -> Iterator[Span]:
    """Yield the spans of signatures, annotations, log calls and imports: they do not decide."""
    for node in ast.walk(tree):
        parts: list[ast.AST | None] = []
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            parts += node.decorator_list
            yield (node.lineno, node.col_offset), (node.body[0].lineno, node.body[0].col_offset)
        if isinstance(node, ast.AnnAssign):
            parts.append(node.annotation)
        if isinstance(node, ast.Import | ast.ImportFrom):
            parts.append(node)
        if isinstance(node, ast.Expr) and ast.unparse(node).startswith(("log.", "logger.")):
            parts.append(node)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            parts.append(node)
        for part in filter(None, parts):
            yield (part.lineno, part.col_offset), (part.end_lineno, part.end_col_offset)


def _is_tuning(tree: ast.Module, mutant: Mutant) -> bool:
    """Return True for a small change of a number: a limit of 1,025 MB is no bug.

    Small is less than a half in a module or class body, and less than a tenth in a function.
    """
    old, new = (set(re.findall(r"[\d._]*\d", text)) for text in (mutant.before, mutant.after))
    if len(old - new) != 1 or len(new - old) != 1:
        return False
    in_function = any(
        isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.lineno <= mutant.line <= (node.end_lineno or 0)
        for node in ast.walk(tree)
    )
    before, after = float(*(old - new)), float(*(new - old))
    return abs(after - before) < abs(before) / (10 if in_function else 2)


def _function_at(tree: ast.Module, line: int) -> str:
    names: list[str] = []
    body: list[ast.stmt] = tree.body
    while body:
        scopes = (
            n for n in body
            if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
            and n.lineno <= line <= (n.end_lineno or 0)
        )  # fmt: skip
        scope = next(scopes, None)
        if scope is None:
            break
        names.append(scope.name)
        body = scope.body
    return ".".join(names) or "module"
