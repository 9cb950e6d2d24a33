"""Similarity by meaning: embeddings, near-duplicates and clusters."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import BertConfig, BertModel

from agents.creators.guarded import Guarded
from agents.evolution.diversity import largest_cluster
from agents.evolution.near_duplicates import NearMeanings
from agents.evolution.similarity import ByMeaning, ByWords, cluster_shares, similarities
from agents.guards import Guards
from agents.policies import sentence_embedder
from agents.policies.sentence_embedder import SentenceEmbedder, installed_embedder
from eva_env.prompt_files import Prompts
from eva_env.wordlist import Wordlist
from experiments.run.similarity import similarity_of
from tests.support.tiny_models import tokenizer

TEXTS = ["Write a poem.", "Tell a story about a clever fox in the forest.", "Why?", "Why? "]


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(tokenizer()),
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=256,
    )
    folder = tmp_path_factory.mktemp("encoder")
    BertModel(config).save_pretrained(folder)
    tokenizer().save_pretrained(folder)
    return folder


def test_an_embedding_is_the_unit_mean_over_the_texts_own_tokens(encoder):
    embed = SentenceEmbedder.load(encoder)
    for text, vector in zip(TEXTS, embed(TEXTS), strict=True):
        ids = torch.tensor([tokenizer()(text)["input_ids"]])
        with torch.no_grad():
            mean = embed.model(input_ids=ids).last_hidden_state[0].mean(0)
        np.testing.assert_allclose(vector, mean / mean.norm(), atol=1e-5)
    np.testing.assert_array_equal(embed(TEXTS[:1]), embed(TEXTS)[:1])


def test_the_pooling_of_the_folder_is_used(encoder):
    pooling = encoder / "1_Pooling"
    pooling.mkdir(exist_ok=True)
    (pooling / "config.json").write_text('{"pooling_mode_cls_token": true}')
    assert SentenceEmbedder.load(encoder).first
    (pooling / "config.json").write_text('{"pooling_mode_mean_tokens": true}')
    assert not SentenceEmbedder.load(encoder).first


def circle(texts):
    """Texts are angles in degrees; a letter after the number tells equal angles apart."""
    angles = np.radians([float(text.rstrip("abc")) for text in texts])
    return np.stack([np.cos(angles), np.sin(angles)], 1)


def test_similarity_by_meaning_is_the_cosine():
    by_meaning = ByMeaning(circle)
    cosines = by_meaning(["0", "60"], ["0", "90"])
    np.testing.assert_allclose(cosines, [[1, 0], [0.5, 0.75**0.5]], atol=1e-12)
    # cos 30 = 0.87 joins 0, 30 and 60 in a chain; cos 40 = 0.77 does not.
    prompts = ["0", "30", "60", "100"]
    np.testing.assert_allclose(cluster_shares(prompts, 0.85, by_meaning), [0.75] * 3 + [0.25])
    assert largest_cluster(prompts, Wordlist(), by_meaning) == 0.75
    assert largest_cluster(prompts, Wordlist()) == 0.25


@given(st.lists(st.text("ab c", max_size=8), min_size=1, max_size=5))
def test_words_compare_as_before(texts):
    np.testing.assert_array_equal(ByWords()(texts, texts), similarities(texts, texts))
    np.testing.assert_array_equal(cluster_shares(texts, 0.7), cluster_shares(texts, 0.7, None))


def test_near_meanings_are_found_in_order_and_equal_texts_are_not():
    index = NearMeanings(0.9, circle)
    assert index.find("0") is None
    for angle in ("0", "50", "51", *(str(90 + k) for k in range(200))):
        index.add(angle)
    assert index.find("10") == "0"
    assert index.find("40") == "50"  # cos 10 = 0.98, though cos 26 = 0.9 reaches 66
    assert index.find("-40") is None
    assert index.find("0a") == "0"
    assert NearMeanings(0.9, circle).find("0") is None
    alone = NearMeanings(0.9, circle)
    alone.add("0")
    assert alone.find("0") is None


def test_guards_compare_by_meaning_if_an_embedder_is_given():
    class Angles(Wordlist):
        def seed(self, n, rng, distribution="human"):
            return [str(200 + 40 * k) for k in range(n)]

    class Fixed:
        def propose(self, task, n, rng):
            from agents.evolution.evolve import Lineage, publish

            return publish([Lineage(prompt) for prompt in ("0", "10", "90")])

    guards = Guards(near_duplicates=0.9)
    replaced = Guarded(Fixed(), guards, circle).propose(Angles(), 3, np.random.default_rng(0))
    assert replaced.prompts == ("0", "200", "90")
    by_words = Guarded(Fixed(), guards).propose(Angles(), 3, np.random.default_rng(0))
    assert by_words.prompts == ("0", "10", "90")


def test_the_settings_choose_the_measure(encoder, tmp_path, monkeypatch):
    prompts = Prompts()
    monkeypatch.setenv("EVA_CACHE", str(tmp_path / "empty"))
    monkeypatch.setattr(sentence_embedder.metadata, "files", missing)
    assert installed_embedder() is None
    assert similarity_of(prompts, "auto").name == "words"
    assert similarity_of(prompts, "words").name == "words"
    assert similarity_of(prompts, str(encoder)).name == "embedder"
    assert similarity_of(Wordlist(), "auto") is None
    for choice, reason in (
        ("embedder", "run eva fetch embedder"),
        ("nowhere", "no sentence embedder at nowhere"),
    ):
        with pytest.raises(ValueError, match=reason):
            similarity_of(prompts, choice)
    with pytest.raises(ValueError, match="prompts of Wordlist are not; leave it out"):
        similarity_of(Wordlist(), "embedder")


def missing(name):
    raise sentence_embedder.metadata.PackageNotFoundError(name)


def test_the_installed_embedder_is_found_without_importing_it(encoder, monkeypatch):
    (encoder / "modules.json").write_text("[]")

    class File:
        name = "modules.json"

        def locate(self):
            return encoder / self.name

    monkeypatch.setattr(sentence_embedder.metadata, "files", lambda name: [File()])
    assert installed_embedder() == encoder
    assert similarity_of(Prompts(), "auto").name == "embedder"


def test_a_fetched_embedder_is_found_in_the_cache(encoder, tmp_path, monkeypatch):
    monkeypatch.setattr(sentence_embedder.metadata, "files", missing)
    monkeypatch.setenv("EVA_CACHE", str(tmp_path))
    assert installed_embedder() is None
    (tmp_path / "minilm").symlink_to(encoder)
    assert installed_embedder() == tmp_path / "minilm"
    assert similarity_of(Prompts(), "auto").name == "embedder"
