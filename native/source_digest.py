"""A digest of the sources that the compiled code of a module depends on.

numba compiles functions, constants and memory layouts of other modules into a function, but checks only the one file
that the function is written in. The digest covers that file and all files of the project that it imports, directly or
through one another.
"""

import ast
import hashlib
from collections.abc import Iterator
from functools import cache
from importlib.machinery import PathFinder
from importlib.util import find_spec, resolve_name
from pathlib import Path

PACKAGES = ("native", "envs", "agents", "ec_evotorch", "experiments")
"""Packages whose imports are followed, besides the package of the module itself."""


@cache
def source_digest(module: str, path: Path) -> str:
    """Returns the digest of a module and of the modules of the project that it imports.

    Only what a program does counts: comments, docstrings, layout and dates of files leave the digest as it is. It is
    computed once in a process, and should be asked for while the module is being imported, so that a file that is
    edited later is not mistaken for the source of what has been loaded.

    Args:
        module: Dotted name of the module.
        path: File that it was imported from.

    Returns:
        A hexadecimal number of 64 digits.

    Raises:
        OSError: If a source file cannot be read.
        SyntaxError: If a source file is not Python.
    """
    packages = {*PACKAGES, module.partition(".")[0]}
    digests: dict[Path, str] = {}
    waiting = [(module, path)]
    while waiting:
        name, file = waiting.pop()
        if file in digests:
            continue
        digests[file], imports = _read(name, file)
        for imported in imports:
            if imported.partition(".")[0] in packages and (imported_file := _find(imported)):
                waiting.append((imported, imported_file))
    return hashlib.sha256("".join(sorted(digests.values())).encode()).hexdigest()


@cache
def _read(module: str, path: Path) -> tuple[str, frozenset[str]]:
    """Returns the digest of one file and the names of the modules that it may import."""
    tree = ast.parse(path.read_bytes())
    package = module if path.stem == "__init__" else module.rpartition(".")[0]
    imports = frozenset(_imports(tree, package))
    program = ast.dump(_WithoutDocstrings().visit(tree))
    return hashlib.sha256(f"{module}\n{program}".encode()).hexdigest(), imports


class _WithoutDocstrings(ast.NodeTransformer):
    """Removes every statement that is nothing but a text."""

    def visit_Expr(self, node: ast.Expr) -> ast.Expr | None:
        is_text = isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        return None if is_text else node


def _imports(tree: ast.Module, package: str) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            try:
                origin = resolve_name("." * node.level + (node.module or ""), package) if node.level else node.module
            except ImportError:  # from above the outermost package, which fails where it is executed
                continue
            yield origin
            yield from (f"{origin}.{alias.name}" for alias in node.names)  # a name in a package may be a module


@cache
def _find(module: str) -> Path | None:
    """Returns the source file of a module without importing it, or None if there is none of that name."""
    package, *parts = module.split(".")
    try:
        spec = find_spec(package)
    except ValueError:  # a module made by hand, without a specification
        return None
    for part in parts:
        if spec is None or spec.submodule_search_locations is None:
            return None
        spec = PathFinder.find_spec(f"{spec.name}.{part}", spec.submodule_search_locations)
    is_source = spec is not None and spec.origin is not None and spec.origin.endswith(".py")
    return Path(spec.origin) if is_source else None
