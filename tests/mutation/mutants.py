"""Mutants: copies of a module with one small change, made by Cosmic Ray's operators.

A place is an operator, a number, a condition, a decorator and the like. The sample takes places at random, each with
equal chances, and one of the changes that Cosmic Ray knows for a place: eleven for a `+`, one for a decorator.

Left out are changes that no test can notice, or that every test notices:
- annotations, protocols and abstract methods;
- the options of `dataclass`, `TypeVar` and `zip`, which are there for mypy or as assertions;
- `==` for `is`, and the reverse: the difference is which objects CPython shares;
- what does not compile, such as another operator for the `*` before keyword-only parameters.

Cosmic Ray changes no strings, so docstrings and texts stay as they are. It removes no statements and no arguments.
"""

import ast
import difflib
import random
import re
import warnings
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator, operator_names

from tests.mutation import MUTATED

_IDENTITY = re.compile(r"_(Eq_Is|Is_Eq|NotEq_IsNot|IsNot_NotEq)$")

Position = tuple[int, int]  # the line from 1, the column from 0


class Mutant(NamedTuple):
    """A change of one place: its file and line, the name of the operator, and the module's text with the change."""

    path: str
    line: int
    operator: str
    text: str

    @property
    def place(self) -> str:
        """The file and the line."""
        return f"{self.path}:{self.line}"

    @property
    def diff(self) -> str:
        """The lines that the change removes and adds."""
        before, after = Path(self.path).read_text().splitlines(), self.text.splitlines()
        lines = list(difflib.unified_diff(before, after, lineterm="", n=0))[2:]
        return "\n".join(line for line in lines if line[1:].strip() and not line.startswith("@@"))


def sample(number: int, seed: int) -> list[Mutant]:
    """Mutants of different places, chosen at random; fewer where there are not as many places."""
    chance = random.Random(seed)
    places = [
        (str(path), line, changes)
        for pattern in MUTATED
        for path in sorted(Path().glob(pattern))
        for line, changes in _places(path.read_text())
    ]
    chance.shuffle(places)
    mutants: list[Mutant] = []
    for path, line, changes in places:
        if len(mutants) == number:
            break
        chance.shuffle(changes)
        source = Path(path).read_text()
        made = ((name, mutate_code(source, get_operator(name)(), occurrence)) for name, occurrence in changes)
        mutants += [Mutant(path, line, name.partition("/")[2], text) for name, text in made if _compiles(text)][:1]
    return mutants


def _places(source: str) -> Iterator[tuple[int, list[tuple[str, int]]]]:
    """The line of each place, and its changes: Cosmic Ray's operators, and which occurrence in the module it is."""
    nodes = list(ast_nodes(get_ast(source)))
    left_out = list(_left_out(ast.parse(source)))
    places: defaultdict[tuple[Position, str], list[tuple[str, int]]] = defaultdict(list)
    for name in operator_names():
        if get_operator(name).arguments() or _IDENTITY.search(name):
            continue
        operator = get_operator(name)()
        positions = (start for node in nodes for start, _end in operator.mutation_positions(node))
        for occurrence, start in enumerate(positions):
            if not any(first <= start < last for first, last in left_out):
                places[start, name.partition("_")[0]].append((name, occurrence))
    for ((line, _column), _kind), changes in sorted(places.items()):
        yield line, changes


def _left_out(tree: ast.Module) -> Iterator[tuple[Position, Position]]:
    """The starts and ends of what is not mutated."""
    for node in ast.walk(tree):
        parts: list[ast.AST | None] = [getattr(node, "annotation", None), getattr(node, "returns", None)]
        match node:
            case ast.ClassDef(bases=[ast.Name(id="Protocol")]):
                parts.append(node)
            case ast.FunctionDef(decorator_list=[*_, ast.Name(id="abstractmethod")]):
                parts += [node, *node.decorator_list]
            case ast.Call(func=ast.Name(id="dataclass" | "TypeVar" | "zip")):
                parts += node.keywords
        for part in parts:
            if isinstance(part, ast.expr | ast.stmt | ast.keyword):
                # From the `@` of a decorator, which is no part of its node.
                yield (part.lineno, part.col_offset - 1), (part.end_lineno or 0, part.end_col_offset or 0)


def _compiles(text: str | None) -> bool:
    try:
        with warnings.catch_warnings(action="error"):  # as in the suite
            return bool(text and compile(text, "mutant", "exec"))
    except (SyntaxError, Warning):
        return False


def statement(source: str, line: int) -> range:
    """The lines of the statement around a line.

    Of an `if`, a loop and the like they are its head. The head of a function or a class stands for all of it.
    """
    nodes = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.stmt | ast.excepthandler)]
    node = min((node for node in nodes if line in _lines(node)), key=lambda node: len(_lines(node)))
    lines, body = _lines(node), getattr(node, "body", None)
    if body and not isinstance(node, ast.FunctionDef | ast.ClassDef):
        return range(lines.start, max(body[0].lineno, lines.start + 1))
    return lines


def _lines(node: ast.stmt | ast.excepthandler) -> range:
    decorators = [decorator.lineno for decorator in getattr(node, "decorator_list", [])]
    return range(min([node.lineno, *decorators]), (node.end_lineno or node.lineno) + 1)
