"""The state of a match as two files of plain data; reading them runs no code.

    state.json          the tree of values; what JSON lacks has a tag, such as {"$tuple": [...]}
    state.safetensors   its arrays and tensors, under the numbers that the tree gives them

An object is written as the name of its class and its attributes. Reading finds the class among
those of this package and of the parts that the match has loaded already, and imports nothing
else. A reward model is written as its difference from the one that the settings make: parts
that have not changed, such as functions and tokenizers, are never written.
"""

import copy
import importlib
import json
import math
import sys
from collections import Counter, OrderedDict
from collections.abc import Callable, Collection, Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
import torch
from safetensors.torch import load_file, save_file

from agents.policies.sampled import Sampled

OURS = ("eva_env", "agents", "experiments")
DAMAGES = (LookupError, TypeError, AttributeError, ArithmeticError, RecursionError)
"""Errors of values that are not what a tag needs."""

COLLECTIONS: dict[str, Callable[[Any], Any]] = {
    "tuple": tuple,
    "set": set,
    "frozenset": frozenset,
}
MAPPINGS: dict[str, Callable[[Any], Any]] = {
    "dict": dict,
    "OrderedDict": OrderedDict,
    "Counter": lambda pairs: Counter(dict(pairs)),
}


class State(NamedTuple):
    """A state as plain data: a tree for JSON, and tensors by number."""

    tree: Any
    tensors: dict[str, torch.Tensor]

    @classmethod
    def of(cls, value: Any, like: Any = None) -> Self:
        """Return a value as plain data.

        ``like`` has the value's shape and holds, where there are any, the objects that the
        reader of the state has too. Raises ValueError, with the place in the value, for an
        object that is no data.
        """
        encoder = _Encoder()
        return cls(encoder.encode(value, like, "state"), encoder.tensors)

    def value(self, like: Any = None, modules: Collection[str] = ()) -> Any:
        """Return the value; ``like`` is as it was for ``of``.

        Its classes are those of this package and of ``modules``, which have been imported.
        Raises ValueError for any other class, and for a damaged tree.
        """
        try:
            return _Decoder(self.tensors, modules).decode(self.tree, like)
        except DAMAGES as error:
            reason = f"{type(error).__name__}: {error}"
            raise ValueError(f"the state is damaged ({reason})") from error

    def write(self, folder: Path) -> None:
        """Write both files."""
        (folder / "state.json").write_text(json.dumps(self.tree, allow_nan=False) + "\n")
        save_file(self.tensors, folder / "state.safetensors")

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read both files; ValueError, OSError or SafetensorError if they are damaged."""
        try:
            tree = json.loads((folder / "state.json").read_text())
        except RecursionError as error:
            raise ValueError("state.json is nested too deeply") from error
        return cls(tree, load_file(folder / "state.safetensors"))


def modules_of(*parts: Any) -> set[str]:
    """Return the imported modules of the packages, and the files, that define parts.

    A wrapper counts with what it wraps: its ``creator`` or ``base``.
    """
    modules = set()
    for part in parts:
        while part is not None:
            modules.add(type(part).__module__)
            modules.add(getattr(part, "__module__", type(part).__module__))
            part = getattr(part, "creator", None) or getattr(part, "base", None)
    packages = {module.split(".")[0] for module in modules} - {*OURS, "builtins"}
    return modules | {name for name in list(sys.modules) if name.split(".")[0] in packages}


class _Encoder:
    """Turns values into a tree; the tensors collect next to it."""

    def __init__(self) -> None:
        self.tensors: dict[str, torch.Tensor] = {}
        self._storages: set[int] = set()

    def encode(self, value: Any, like: Any, where: str) -> Any:
        kind = type(value)
        if value is None or kind in (bool, int, str):
            return value
        if kind is float:
            return value if math.isfinite(value) else {"$float": str(value)}
        if value is like:
            return {"$same": True}
        if kind is list:
            return [self.encode(item, None, f"{where}[{i}]") for i, item in enumerate(value)]
        if kind.__name__ in COLLECTIONS and kind.__module__ in ("builtins", "collections"):
            likes = like if kind is tuple and isinstance(like, tuple) else ()
            return {f"${kind.__name__}": self._items(value, likes, where)}
        if isinstance(value, Mapping) and kind.__name__ in MAPPINGS:
            return self._mapping(value, like, where)
        if isinstance(value, np.ndarray | np.generic | torch.Tensor):
            return self._numbers(value, where)
        if kind is Sampled:
            _, arguments = value.__reduce__()
            return {"$sampled": self._items(arguments, (), where)}
        if isinstance(value, np.random.Generator):
            return {"$generator": self.encode(value.bit_generator.state, None, where)}
        if isinstance(value, torch.nn.Module) and type(like) is kind:
            return {"$weights": self.encode(dict(value.state_dict()), None, where)}
        return self._object(value, like, where)

    def _items(self, values: Any, likes: Any, where: str) -> list[Any]:
        padded = [*likes, *[None] * max(0, len(values) - len(likes))]
        return [self.encode(item, padded[i], f"{where}[{i}]") for i, item in enumerate(values)]

    def _mapping(self, value: Mapping[Any, Any], like: Any, where: str) -> Any:
        likes = like if isinstance(like, Mapping) else {}
        items = {
            key: self.encode(item, likes.get(key), f"{where}[{key!r}]")
            for key, item in value.items()
        }
        kind = type(value).__name__
        if kind == "dict" and all(type(key) is str and key[:1] != "$" for key in items):
            return items
        pairs = [[self.encode(key, None, where), item] for key, item in items.items()]
        return {f"${kind}": pairs}

    def _numbers(self, value: Any, where: str) -> Any:
        """An array or a tensor as a number of ``tensors``; texts and objects in the tree."""
        if isinstance(value, np.generic):
            item = self.encode(value.item(), None, where)
            return {"$scalar": [value.dtype.str, item]}
        if isinstance(value, np.ndarray) and value.dtype.kind in "OUS":
            items = self._items(value.ravel().tolist(), (), where)
            return {"$objects": [value.dtype.str, list(value.shape), items]}
        is_tensor = isinstance(value, torch.Tensor)
        tensor = value if is_tensor else torch.from_numpy(np.array(value, order="C"))
        tensor = tensor.detach().cpu().contiguous()
        # safetensors refuses tensors that share memory.
        if tensor.untyped_storage().data_ptr() in self._storages:
            tensor = tensor.clone()
        self._storages.add(tensor.untyped_storage().data_ptr())
        number = str(len(self.tensors))
        self.tensors[number] = tensor
        return {"$tensor" if is_tensor else "$array": number}

    def _object(self, value: Any, like: Any, where: str) -> Any:
        kind = type(value)
        has_like = type(like) is kind
        if not (has_like or _is_data(kind)):
            raise ValueError(
                f"a checkpoint cannot hold {where}, a {kind.__module__}.{kind.__qualname__}: "
                f"keep numbers, texts, arrays and dataclasses in the state of a part, or write "
                f"its state_dict() and load_state_dict()"
            )
        attributes = {
            name: self.encode(item, getattr(like, name, None) if has_like else None, where)
            for name, item in _attributes(value).items()
        }
        return {"$object": f"{kind.__module__}:{kind.__qualname__}", "attributes": attributes}


class _Decoder:
    """Turns a tree back into values."""

    def __init__(self, tensors: Mapping[str, torch.Tensor], modules: Collection[str]) -> None:
        self.tensors, self.modules = tensors, modules

    def decode(self, tree: Any, like: Any = None) -> Any:
        if isinstance(tree, list):
            return [self.decode(item) for item in tree]
        if not isinstance(tree, dict):
            return tree
        tag = next(iter(tree), "")
        if not tag.startswith("$"):
            likes = like if isinstance(like, Mapping) else {}
            return {key: self.decode(item, likes.get(key)) for key, item in tree.items()}
        if tag == "$object":
            return self._object(tree[tag], tree["attributes"], like)
        return self._tagged(tag[1:], tree[tag], like)

    def _tagged(self, tag: str, content: Any, like: Any) -> Any:
        """The value behind a tag."""
        if tag in COLLECTIONS:
            likes = like if isinstance(like, tuple) else ()
            padded = [*likes, *[None] * max(0, len(content) - len(likes))]
            return COLLECTIONS[tag](
                [self.decode(item, padded[i]) for i, item in enumerate(content)]
            )
        if tag in MAPPINGS:
            return MAPPINGS[tag](
                [(self.decode(key), self.decode(item)) for key, item in content]
            )
        if tag == "float":
            return float(content)
        if tag == "tensor":
            return self.tensors[content]
        if tag == "array":
            return self.tensors[content].numpy()
        if tag == "scalar":
            return np.dtype(content[0]).type(self.decode(content[1]))
        if tag == "objects":
            return self._objects(*content)
        if tag == "sampled":
            return Sampled(*self.decode(content))
        if tag == "generator":
            return _generator(self.decode(content))
        if tag == "same":
            return self._counterpart(like)
        if tag == "weights":
            return _with_weights(self._counterpart(like), self.decode(content))
        raise ValueError(f"the state has an unknown tag {tag!r}")

    @staticmethod
    def _counterpart(like: Any) -> Any:
        if like is None:
            raise ValueError(
                "the state belongs to other settings: it names a part that they do not make"
            )
        return like

    def _objects(self, dtype: str, shape: list[int], content: list[Any]) -> Any:
        array = np.empty(len(content), np.dtype(dtype))
        array[:] = [self.decode(item) for item in content]
        return array.reshape(shape)

    def _object(self, name: str, attributes: Mapping[str, Any], like: Any) -> Any:
        kind = self._class(name)
        has_like = type(like) is kind
        if not (has_like or _is_data(kind)):
            raise ValueError(f"the state names {name}, which is no class of data")
        values = {
            key: self.decode(item, getattr(like, key, None) if has_like else None)
            for key, item in attributes.items()
        }
        if issubclass(kind, tuple):
            return kind(**values)
        made = object.__new__(kind)
        if _restores_itself(kind) and not is_dataclass(kind):
            made.__setstate__(values)  # type: ignore[attr-defined]
            return made
        for key, item in values.items():
            object.__setattr__(made, key, item)
        return made

    def _class(self, name: str) -> type:
        """The class of a name, which must be this package's or of a module that may be used."""
        module_name, _, path = name.partition(":")
        ours = module_name.split(".")[0] in OURS and "plugins." not in module_name
        if not ours and module_name not in self.modules:
            raise ValueError(
                f"the state names {name}, which is neither this package's nor of a part in the "
                f"settings"
            )
        module = importlib.import_module(module_name) if ours else sys.modules[module_name]
        found: Any = module
        for part in path.split("."):
            found = vars(found).get(part)
            if not isinstance(found, type) or found.__module__ != module_name:
                raise ValueError(f"the state names {name}, which does not exist here")
        return found


def _is_data(kind: type) -> bool:
    """True for a class whose objects are no more than their attributes."""
    is_record = issubclass(kind, tuple) and hasattr(kind, "_fields")
    return is_dataclass(kind) or is_record or _restores_itself(kind)


def _restores_itself(kind: type) -> bool:
    """True for a class of this package that reads its own attributes back."""
    return kind.__module__.split(".")[0] in OURS and "__setstate__" in vars(kind)


def _attributes(value: Any) -> dict[str, Any]:
    """What makes an object: fields, or what it says itself, or all attributes."""
    kind = type(value)
    if is_dataclass(kind):
        return {field.name: getattr(value, field.name) for field in fields(kind)}
    if isinstance(value, tuple):
        return dict(zip(kind._fields, value, strict=True))  # type: ignore[attr-defined]
    return dict(value.__getstate__())


def _generator(state: Mapping[str, Any]) -> np.random.Generator:
    """A generator of numpy's own kinds."""
    kinds = {"PCG64", "PCG64DXSM", "MT19937", "Philox", "SFC64"} & {state["bit_generator"]}
    if not kinds:
        raise ValueError(f"the state names a generator {state['bit_generator']!r}")
    generator = np.random.Generator(getattr(np.random, kinds.pop())())
    generator.bit_generator.state = state
    return generator


def _with_weights(module: torch.nn.Module, weights: Mapping[str, torch.Tensor]) -> Any:
    """A copy of a module, in evaluation mode, with other weights of the same names."""
    twin = copy.deepcopy(module)
    twin.load_state_dict(dict(weights), assign=True)
    return twin
