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
    {"installed"},
    {"_core", "distribution", "network.tls", "handshake.redaction"},
    {"exceptions", "framing", "message", "queue", "streaming", "via_receive"},
    {"handshake.headers", "handshake.cookies", "handshake.urls"},
    {"handshake.auth", "handshake.extensions"},
    {"handshake.redirects", "handshake.upgrade"},
    {"network.connector_arguments", "network.limits", "network.resolver", "network.sockets"},
    {
        "network.fast_calls",
        "network.fast_tls",
        "network.peer",
        "network.plain_transport",
        "network.proxy",
    },
    {"network.transport"},
    {"network.takeover"},
    {"network.stand_in", "network.tunnel"},
    {"network.connector"},
    {"network.tcp", "network.unix"},
    {"fragments", "heartbeat", "tracing"},
    {"recording.entries", "recording.packing"},
    {"recording.files"},
    {"recording.recorder", "recording.recording"},
    {"recording"},
    {"opening", "websocket"},
    {"feed"},
    {"arbitration", "context_manager", "options", "retry"},
    {"protocol"},
    {"session"},
    {"client"},
    {"aiohttp.dialect", "aiohttp.shims", "aiohttp.versions"},
    {"aiohttp.connecting", "aiohttp.handover"},
    {"aiohttp.response"},
    {"aiohttp.session"},
    {"aiohttp.installing"},
    {"aiohttp"},
    {"websockets.protocol", "websockets.settings", "websockets.versions"},
    {"websockets.served"},
    {"websockets.connection"},
    {"websockets.connecting"},
    {"websockets.installing"},
    {"websockets"},
    {"__init__"},
    {"testing.certificates", "testing.expectations", "testing.streams", "testing.threads"},
    {"testing.proxy", "testing.wire"},
    {"testing.connection"},
    {"testing.script"},
    {"testing.server"},
    {"testing.replay"},
    {"testing"},
    {"cli", "cli.measure", "cli.server", "cli.stdin", "cli.terminal"},
    {"cli.above", "cli.exits", "cli.pretty", "cli.progress"},
    {"cli.arguments", "cli.loops", "cli.messages", "cli.output"},
    {"cli.connections", "cli.consoles", "cli.prompt"},
    {"cli.talk"},
    {"cli.bench", "cli.connect", "cli.echo", "cli.listen"},
    {"cli.record"},
    {"cli.replay"},
    {"cli.main"},
    {"__main__", "freezing", "freezing.hook-aiofastnet"},
    {"demo", "demo.__main__", "demo.server"},
)
# What each folder has from elsewhere at run time: the handshake nothing of the network, neither of
# them anything of a WebSocket that is open.
ROOMS = {
    "handshake": {"_core", "arguments", "exceptions", "types"},
    "network": {"_core", "arguments", "exceptions", "handshake", "suggestions", "types"},
    "aiohttp": {
        "_core",
        "distribution",
        "handshake",
        "heartbeat",
        "installed",
        "network",
        "protocol",
        "recording",
        "unclosed",
        "websocket",
    },
    "websockets": {
        "_core",
        "distribution",
        "exceptions",
        "installed",
        "network",
        "protocol",
        "recording",
        "streaming",
    },
    "cli": {"__init__", "distribution", "framing", "testing", "types"},
    "__main__": {"cli"},
    "demo": {"__init__", "cli", "types"},
    "recording": {"_core", "arguments", "distribution", "handshake"},
    "testing": {"distribution", "recording"},
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

# Lowest first: a file uses what is on its own floor or below, and the files of all make no circle.
# The last name is that of the crate; a folder stands for all that is in it.
RUST_FLOORS = (
    {"registry", "memory", "mask", "transcode", "utf8"},
    {"error", "keys"},
    {"frame", "deflate"},
    {"close", "assembler"},
    {"journal"},
    {"connection"},
    {"endpoint"},
    {"python::cpython"},
    {"python::socket"},
    {"python::values"},
    {"python::event_loop"},
    {"python"},
    {"lib"},
)
# What each file of the endpoint may use of the others, its own parts first.
ENDPOINT_LAYERS = (
    {"due", "counts", "flow", "histogram", "compression", "ending", "item", "streaming"},
    {"outgoing", "pings", "waiting"},
    {"queue"},
    {"inbox"},
    {""},
    {"receive", "take", "send", "close", "fragments", "parts"},
)
# Where there is `unsafe` beside `python/cpython` and `python/socket`.
UNSAFE_RUST = {
    *("mask", "transcode", "transcode::blocks", "transcode::neon", "transcode::x86_64"),
    "python::event_loop::make",
}


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
        modules, layers = {rust_floor(module) for module in rust_files()}, RUST_FLOORS
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


def test_nothing_but_a_command_imports_the_test_kit():
    for module, needed in python_dependencies().items():
        if room_of(module) != "testing" and module != "cli.replay":
            assert {name for name in needed if room_of(name) == "testing"} == set(), module


def test_only_the_adapter_and_the_test_kit_import_websockets():
    importers = {
        room_of(module_of(path))
        for path in python_files()
        if "websockets" in outside_of_the_package(path)
    }
    assert importers == {"testing", "websockets"}


def test_the_package_works_without_aiohttp():
    program = "import sys; sys.modules['aiohttp'] = None; import wsclient, wsclient.framing"
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


def rust_files():
    """Module to its file; tests are no modules."""
    files = {}
    for path in CRATE.rglob("*.rs"):
        parts = path.relative_to(CRATE).with_suffix("").parts
        if not {"tests", "compressed"} & set(parts):
            files["::".join(parts[:-1] if parts[-1] == "mod" else parts)] = path
    return files


def rust_floor(module):
    """The floor of a module, as `RUST_FLOORS` names it."""
    known = layers_of(RUST_FLOORS)
    while module not in known and "::" in module:
        module = module.rpartition("::")[0]
    return module


def rust_code(path):
    """A file without its comments, strings and tests."""
    text = re.sub(r"//[^\n]*|/\*.*?\*/", "", path.read_text(), flags=re.DOTALL)
    text = re.sub(r'b?"(?:\\.|[^"\\])*"', '""', text, flags=re.DOTALL)
    return re.split(r"#\[cfg\(test\)\]\s*mod \w+ \{", text)[0]


def rust_leaves(tree):
    """The paths of a `use`: of `a::{b, c::{d, e}}` those of b, d and e."""
    found = re.fullmatch(r"\s*([\w:]*?)(?:::)?\{(.*)\}\s*", tree, re.DOTALL)
    if not found:
        yield re.sub(r"\s+as\s+\w+", "", tree).strip()
        return
    depth, part = 0, ""
    for character in f"{found[2]},":
        if character == "," and depth == 0:
            if part.strip():
                yield from (f"{found[1]}::{leaf}" for leaf in rust_leaves(part))
            part = ""
        else:
            depth += (character == "{") - (character == "}")
            part += character


def rust_paths(code):
    """The paths that are named, of other modules and of what they have."""
    for tree in re.findall(r"\buse\s+([^;]+);", code):
        yield from rust_leaves(tree)
    yield from re.findall(r"\b((?:\$?crate|super)(?:::\w+)+)", re.sub(r"\buse\s+[^;]+;", "", code))


def rust_dependencies():
    """Module to the modules that its file uses."""
    files = rust_files()
    graph = {}
    for module, path in files.items():
        graph[module] = set()
        for named in rust_paths(rust_code(path)):
            here, parts = module.split("::"), named.removeprefix("$").split("::")
            if parts[0] == "crate":
                here, parts = [], parts[1:]
            elif parts[0] == "super":
                while parts and parts[0] == "super":
                    here, parts = here[:-1], parts[1:]
            elif "::".join([*here, parts[0]]) not in files:
                continue  # another crate, or something of the file's own
            whole = [*here, *parts]
            while whole and "::".join(whole) not in files:
                whole.pop()
            graph[module].add("::".join(whole) or "lib")
        graph[module].discard(module)
    return graph


def test_rust_uses_point_down():
    graph = rust_dependencies()
    graphlib.TopologicalSorter(graph).prepare()
    floors = {}
    for module, needed in graph.items():
        floor = rust_floor(module)
        floors.setdefault(floor, set()).update({rust_floor(name) for name in needed} - {floor})
    # The crate's root is where macros are, for all.
    assert upward({name: needed - {"lib"} for name, needed in floors.items()}, RUST_FLOORS) == []
    assert {"assembler", "close", "error", "frame"} <= graph["connection"]
    assert {"endpoint", "python::cpython::names"} <= graph["python::event_loop::settle"]


def test_the_endpoint_has_layers():
    graph = {
        module.removeprefix("endpoint").removeprefix("::"): {
            name.removeprefix("endpoint").removeprefix("::")
            for name in needed
            if rust_floor(name) == "endpoint"
        }
        for module, needed in rust_dependencies().items()
        if rust_floor(module) == "endpoint"
    }
    assert graph.keys() == layers_of(ENDPOINT_LAYERS).keys()
    assert upward(graph, ENDPOINT_LAYERS) == []


def test_only_the_binding_knows_python():
    for module, path in rust_files().items():
        if rust_floor(module).partition("::")[0] != "python":
            assert "pyo3" not in rust_code(path), module
    assert re.search(r'cfg\(feature = ""\)\]\s+mod python;', rust_code(CRATE / "lib.rs"))


def test_the_endpoint_knows_no_io():
    for module, path in rust_files().items():
        if rust_floor(module) == "endpoint":
            assert not re.search(r"\bstd::(net|fs|io|thread)\b|Instant::now", rust_code(path))


def test_unsafe_code_stands_on_the_lowest_floors():
    found = {
        module
        for module, path in rust_files().items()
        if re.search(r"\bunsafe\b(?! \{\})", rust_code(path))
        and rust_floor(module) not in {"python::cpython", "python::socket"}
    }
    assert found == UNSAFE_RUST
