"""Dependencies point one way, in the Python package and in the Rust crate."""

import ast
import graphlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "python" / "wsclient"
CRATE = ROOT / "src"

# Lowest first: a module imports from layers below its own, and from its own without a circle.
PYTHON_LAYERS = (
    {"types", "exceptions", "hiding", "tls", "unclosed", "arguments", "hints"},
    {"_core", "checks", "fields", "queue", "resolver", "slots", "stats", "tracing", "urls"},
    {"auth", "cookies", "proxy", "sockets"},
    {"plain", "endpoint"},
    {"transport", "tunnel", "deflate"},
    {"handshake", "connector", "heartbeat", "framing"},
    {"opening", "response"},
    {"options", "connecting", "retry"},
    {"session"},
    {"alone", "aiohttp"},
    {"__init__"},
    {"testing", "demo", "cli", "__main__"},
)
# What both have: no I/O, so that a test needs no event loop and no socket.
PURE_PYTHON = {
    "types",
    "exceptions",
    "arguments",
    "hints",
    "fields",
    "hiding",
    "auth",
    "cookies",
    "deflate",
    "proxy",
    "queue",
    "stats",
    "handshake",
    "framing",
    "urls",
}
IO_MODULES = {"asyncio", "socket", "select", "selectors", "ssl", "threading", "aiofastnet"}

RUST_LAYERS = (
    {"error", "histogram", "memory"},
    {"frame", "mask", "utf8", "transcode"},
    {"assembler", "deflate", "close"},
    {"connection"},
    {"python"},
    {"lib"},
)
# An error is told by the names of these two, so the three lowest layers know of each other.
RUST_EXCEPTIONS = {("error", "close::code"), ("error", "frame::Opcode")}


def layers_of(layers):
    return {name: number for number, layer in enumerate(layers) for name in layer}


def python_files():
    return [*PACKAGE.rglob("*.py"), *PACKAGE.rglob("*.pyi")]


def module_of(path):
    """The first part of a module's name below `wsclient`: a module or a subpackage."""
    return path.relative_to(PACKAGE).parts[0].partition(".")[0]


def runtime_statements(tree):
    """All nodes but those under `if TYPE_CHECKING`."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            for other in node.orelse:
                yield other
                yield from runtime_statements(other)
        else:
            yield node
            yield from runtime_statements(node)


def imports(path, *, runtime_only=False):
    """The modules that a file imports, by their full names."""
    tree = ast.parse(path.read_text())
    package = ["wsclient", *path.relative_to(PACKAGE).parts[:-1]]
    for node in runtime_statements(tree) if runtime_only else ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parents = package[: len(package) - node.level + 1] if node.level else []
            base = [*parents, *(node.module.split(".") if node.module else [])]
            if base == ["wsclient"]:
                yield from (f"wsclient.{alias.name}" for alias in node.names)
            else:
                yield ".".join(base)


def is_module(name):
    return (PACKAGE / name).is_dir() or any(
        (PACKAGE / f"{name}{suffix}").exists() for suffix in (".py", ".pyi")
    )


def python_dependencies():
    """Module to the modules of the package that it imports."""
    graph = {}
    for path in python_files():
        needed = graph.setdefault(module_of(path), set())
        for name in imports(path):
            first, part, *_ = [*name.split("."), "__init__"]
            if first == "wsclient":
                needed.add(part if is_module(part) else "__init__")
    return {module: needed - {module} for module, needed in graph.items()}


def upward(graph, layers):
    """The dependencies that point up."""
    level = layers_of(layers)
    return [
        f"{module} -> {needed}"
        for module, all_needed in graph.items()
        for needed in all_needed
        if level[needed] > level[module]
    ]


@pytest.mark.parametrize("side", ["python", "rust"])
def test_every_module_has_its_layer(side):
    if side == "python":
        modules, layers = {module_of(path) for path in python_files()}, PYTHON_LAYERS
    else:
        modules, layers = {rust_module(path) for path in CRATE.rglob("*.rs")}, RUST_LAYERS
    assert modules
    assert modules - layers_of(layers).keys() == set(), "place them in the layers above"


def test_python_imports_point_down():
    graph = python_dependencies()
    assert upward(graph, PYTHON_LAYERS) == []
    graphlib.TopologicalSorter(graph).prepare()
    assert {"opening", "response", "connector"} <= graph["session"]


def test_pure_python_knows_no_io():
    for path in python_files():
        if module_of(path) in PURE_PYTHON:
            imported = {name.partition(".")[0] for name in imports(path, runtime_only=True)}
            assert imported & IO_MODULES == set(), path.name


def test_exceptions_import_nothing():
    assert set(imports(PACKAGE / "exceptions.py", runtime_only=True)) == {"__future__"}


def test_only_the_adapter_imports_aiohttp():
    importers = {
        module_of(path)
        for path in python_files()
        if any(name.partition(".")[0] == "aiohttp" for name in imports(path))
    }
    assert importers <= {"aiohttp"}


def test_the_package_works_without_aiohttp():
    program = "import sys; sys.modules['aiohttp'] = None; import wsclient, wsclient.framing"
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


def rust_module(path):
    parts = path.relative_to(CRATE).parts
    return parts[0].removesuffix(".rs")


def rust_code(path):
    """A file without its comments and strings."""
    text = re.sub(r"//[^\n]*|/\*.*?\*/", "", path.read_text(), flags=re.DOTALL)
    return re.sub(r'b?"(?:\\.|[^"\\])*"', '""', text, flags=re.DOTALL)


def rust_paths(code):
    """The paths below `crate` that are named, up to a brace: `a::b` for `crate::a::b::{C, D}`."""
    assert "crate::{" not in code, "one `use` for each module, please"
    return re.findall(r"\bcrate::(\w+(?:::\w+)*)", code)


def rust_dependencies():
    graph = {}
    for path in CRATE.rglob("*.rs"):
        module = rust_module(path)
        paths = {
            named for named in rust_paths(rust_code(path)) if (module, named) not in RUST_EXCEPTIONS
        }
        graph.setdefault(module, set()).update(named.partition("::")[0] for named in paths)
    return {module: needed - {module} for module, needed in graph.items()}


def test_rust_uses_point_down():
    graph = rust_dependencies()
    assert upward(graph, RUST_LAYERS) == []
    graphlib.TopologicalSorter(graph).prepare()
    assert {"assembler", "close", "error", "frame"} <= graph["connection"]
    assert "connection" in graph["python"]


def test_the_core_stands_alone():
    for path in CRATE.rglob("*.rs"):
        if rust_module(path) == "python":
            continue
        code = rust_code(path)
        assert "pyo3" not in code, path.name
        if path.name not in {"mask.rs", "transcode.rs"}:
            assert not re.search(r"\bunsafe\b", code), path.name
    assert re.search(r'cfg\(feature = ""\)\]\s+mod python;', rust_code(CRATE / "lib.rs"))
