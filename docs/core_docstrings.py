"""A griffe extension: the stub of the Rust core has the types, the built module the docstrings.

And the sections that are called Example are examples: griffe knows the plural alone.
"""

from __future__ import annotations

import importlib
import inspect
from typing import Any

import griffe

# What is for type checkers, and what readers are shown.
PARAMETERS = {
    "_WSMessage[_Text_co]": "WSMessage",
    "_Text_co": "str",
    "_Tp_co": "MsgType",
    "_Data_co": "Any",
    "_Extra_co": "Any",
}


class CoreDocstrings(griffe.Extension):
    """Gives the objects of `_core.pyi` the docstrings of the built extension."""

    def on_package(self, *, pkg: griffe.Module, **_: Any) -> None:
        """Called by griffe when it has loaded a package."""
        if pkg.name == "wsclient":
            _describe(pkg["_core"], importlib.import_module("wsclient._core"), pkg.docstring)
            _find_examples(pkg)


def _describe(documented: griffe.Object, built: object, like: griffe.Docstring) -> None:
    for name, member in documented.members.items():
        if name.startswith("_") or not hasattr(built, name):
            continue
        counterpart = inspect.getattr_static(built, name)
        if text := inspect.getdoc(counterpart):
            member.docstring = griffe.Docstring(
                text, parent=member, parser=like.parser, parser_options=like.parser_options
            )
        if member.is_function or member.is_attribute:
            shown = plain = str(member.annotation)
            for parameter, instead in PARAMETERS.items():
                plain = plain.replace(parameter, instead)
            if plain != shown:
                setattr(member, "returns" if member.is_function else "annotation", plain)
        if member.is_class:
            # griffe looks for a class's parameters in `__init__` alone.
            if "__new__" in member.members:
                member.members.setdefault("__init__", member.members["__new__"])
            _describe(member, counterpart, like)


def _find_examples(documented: griffe.Object) -> None:
    if documented.docstring is not None:
        text = documented.docstring.value
        documented.docstring.value = text.replace("\nExample:\n", "\nExamples:\n")
    for member in documented.members.values():
        if not member.is_alias:
            _find_examples(member)
