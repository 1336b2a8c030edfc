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
    {"types", "arguments", "suggestions", "stats", "unclosed", "handshake", "network"},
    {"_core", "network.tls", "handshake.redaction"},
    {"exceptions", "framing", "queue"},
    {"handshake.headers", "handshake.cookies", "handshake.urls"},
    {"handshake.auth", "handshake.extensions"},
    {"handshake.redirects", "handshake.upgrade"},
    {"network.connector_arguments", "network.limits", "network.resolver", "network.sockets"},
    {"network.peer", "network.plain_transport", "network.proxy"},
    {"network.transport"},
    {"network.tunnel"},
    {"network.connector"},
    {"network.tcp", "network.unix"},
    {"heartbeat", "tracing"},
    {"opening", "websocket"},
    {"context_manager", "options", "retry"},
    {"protocol"},
    {"session"},
    {"client"},
    {"aiohttp.handover", "aiohttp.response", "aiohttp.versions"},
    {"aiohttp.session"},
    {"aiohttp.installing"},
    {"aiohttp"},
    {"__init__"},
    {"demo", "demo.__main__", "demo.server"},
)
# What each folder has from elsewhere at run time: the handshake nothing of the network, neither of
# them anything of a WebSocket that is open.
ROOMS = {
    "handshake": {"_core", "arguments", "exceptions", "types"},
    "network": {"_core", "arguments", "exceptions", "handshake", "suggestions", "types"},
    "aiohttp": {"_core", "handshake", "heartbeat", "network", "protocol", "unclosed", "websocket"},
    "demo": {"__init__", "framing", "types"},
}
# No I/O, so that a test needs no event loop and no socket.
PURE_PYTHON = {
    "arguments",
    "exceptions",
    "framing",
    "handshake",
    "handshake.auth",
    "handshake.cookies",
    "handshake.extensions",
    "handshake.headers",
    "handshake.redaction",
    "handshake.redirects",
    "handshake.upgrade",
    "handshake.urls",
    "network.proxy",
    "queue",
    "stats",
    "suggestions",
    "types",
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
    """A module's name below `wsclient`; a subpackage's is that of its `__init__`."""
    *folders, name = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(folders if folders and name == "__init__" else [*folders, name])


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
    """What a file imports, by full names: modules, or names in modules."""
    tree = ast.parse(path.read_text())
    package = ["wsclient", *path.relative_to(PACKAGE).parts[:-1]]
    for node in runtime_statements(tree) if runtime_only else ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parents = package[: len(package) - node.level + 1] if node.level else []
            base = [*parents, *(node.module.split(".") if node.module else [])]
            yield from (".".join([*base, alias.name]) for alias in node.names)


def outside_of_the_package(path, *, runtime_only=False):
    """The packages of others that a file imports."""
    imported = imports(path, runtime_only=runtime_only)
    return {name.partition(".")[0] for name in imported} - {"wsclient"}


def python_dependencies(*, runtime_only=False):
    """Module to the modules of the package that it imports."""
    paths = {module_of(path): path for path in python_files()}

    def owner(name):
        while name and name not in paths:
            name = name.rpartition(".")[0]
        return name or "__init__"

    return {
        module: {
            owner(name.removeprefix("wsclient").removeprefix("."))
            for name in imports(path, runtime_only=runtime_only)
            if name.partition(".")[0] == "wsclient"
        }
        - {module}
        for module, path in paths.items()
    }


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


def test_every_name_in_the_layers_is_a_module():
    modules = {module_of(path) for path in python_files()}
    assert layers_of(PYTHON_LAYERS).keys() - modules == set()
    assert PURE_PYTHON - modules == set()


def test_python_imports_point_down():
    graph = python_dependencies()
    assert upward(graph, PYTHON_LAYERS) == []
    graphlib.TopologicalSorter(graph).prepare()
    assert {"opening", "protocol", "websocket", "network.tcp"} <= graph["session"]


def room_of(module):
    return module.partition(".")[0]


def test_rooms_are_in_no_circle():
    rooms = {}
    for module, needed in python_dependencies(runtime_only=True).items():
        room = room_of(module)
        rooms.setdefault(room, set()).update({room_of(name) for name in needed} - {room})
    graphlib.TopologicalSorter(rooms).prepare()
    assert {room: rooms[room] for room in ROOMS} == ROOMS


def test_the_handshake_knows_nothing_of_the_network():
    for module, needed in python_dependencies().items():
        if room_of(module) == "handshake":
            assert {name for name in needed if room_of(name) == "network"} == set(), module


def test_pure_python_knows_no_io():
    for path in python_files():
        if module_of(path) in PURE_PYTHON:
            imported = outside_of_the_package(path, runtime_only=True)
            assert imported & IO_MODULES == set(), path.name


def test_pure_python_needs_only_what_is_pure():
    for module, needed in python_dependencies(runtime_only=True).items():
        if module in PURE_PYTHON:
            assert needed <= PURE_PYTHON | {"_core"}, module


def test_the_handshake_is_pure():
    modules = {module_of(path) for path in python_files()}
    assert {module for module in modules if room_of(module) == "handshake"} <= PURE_PYTHON


def test_exceptions_import_nothing():
    assert outside_of_the_package(PACKAGE / "exceptions.py", runtime_only=True) == {"__future__"}
    assert python_dependencies(runtime_only=True)["exceptions"] == set()


def test_only_the_adapter_imports_aiohttp():
    importers = {
        room_of(module_of(path))
        for path in python_files()
        if "aiohttp" in outside_of_the_package(path)
    }
    assert importers == {"aiohttp"}


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
