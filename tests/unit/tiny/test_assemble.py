"""The checkpoint folder: what was trained is what transformers loads, without torch and in one piece."""

import hashlib
import json
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from reranker_tiny import dataset, model, train
from reranker_tiny.__main__ import main
from reranker_tiny.assemble import assemble
from reranker_tiny.evaluate import Scorer
from reranker_tiny.network import collate
from reranker_tiny.tokenizer import TokenizerError

# Of the seeded embedding. Another value would change every score of the shipped weights.
EMBEDDING_SHA256 = "fcac8daaa7fa9275ec4074bbccd47b86fade136c462f49a4ee22b21a105864f6"


def contents(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


def test_seeded_embedding_is_the_one_the_weights_were_trained_on() -> None:
    embedding = model.seeded_embedding()
    assert embedding.shape == (model.VOCABULARY, model.HIDDEN)
    assert hashlib.sha256(embedding.astype("<f2").tobytes()).hexdigest() == EMBEDDING_SHA256


def test_a_trained_network_scores_the_same_when_assembled(encoder: dataset.Encoder, tmp_path: Path) -> None:
    torch.set_num_threads(1)
    network = train.train(encoder, steps=3, seed=1, report=lambda _: None)
    train.save(network, train.metadata(1, 3, 0.0, 0.0), tmp_path / "weights")
    shipped, about = model.load_shipped(tmp_path / "weights")
    assert about["steps"] == "3"
    network.load(shipped)  # the same float16 rounding on both sides
    assemble(tmp_path / "model", weights_folder=tmp_path / "weights")
    scorer = Scorer(tmp_path / "model")
    rng = random.Random(9)
    for language in ("zh", "en"):
        group = dataset.draw(rng, language, held_out=True)
        documents = [document.text for document in group.documents]
        for instruction_format in dataset.FORMATS:
            with torch.no_grad():
                expected = network(collate([encoder.encode(group, instruction_format)])).log_odds[0].numpy()
            found = scorer.log_odds(encoder.prompts(group.query.text, documents, instruction_format))
            assert np.ptp(expected) > 1e-3
            np.testing.assert_allclose(found, expected, atol=2e-5)


def test_training_is_the_same_for_the_same_seed(encoder: dataset.Encoder) -> None:
    torch.set_num_threads(1)
    first, second, other = (
        model.fingerprint(train.train(encoder, steps=2, seed=seed, report=lambda _: None).shipped())
        for seed in (4, 4, 5)
    )
    assert first == second != other


def test_assembling_again_leaves_the_same_files(tmp_path: Path) -> None:
    assert main(["assemble", "--output", str(tmp_path)]) == 0
    first = contents(tmp_path)
    assert set(first) == {
        "config.json",
        "generation_config.json",
        "golden.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
    }
    assert json.loads((tmp_path / "config.json").read_text())["architectures"] == ["Qwen3ForCausalLM"]
    assert main(["assemble", "--output", str(tmp_path)]) == 0
    assert contents(tmp_path) == first


def test_assembling_needs_no_torch(tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['torch'] = sys.modules['transformers'] = None\n"
        "from reranker_tiny.__main__ import main\n"
        f"sys.exit(main(['assemble', '--output', {str(tmp_path / 'model')!r}]))"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
    assert (tmp_path / "model" / "model.safetensors").stat().st_size > 30_000_000


def test_another_tokenizer_is_refused(tmp_path: Path, tokenizer_json: Path) -> None:
    other = tmp_path / "tokenizer.json"
    other.write_bytes(tokenizer_json.read_bytes() + b"\n")
    with pytest.raises(TokenizerError, match="not the pinned tokenizer"):
        assemble(tmp_path / "model", tokenizer=other)
    assert not (tmp_path / "model").exists()


def test_weights_of_another_shape_are_refused(tmp_path: Path) -> None:
    shipped, about = model.load_shipped()
    shipped["model.norm.weight"] = shipped["model.norm.weight"][:-1]
    model.save_shipped(shipped, about, tmp_path)
    with pytest.raises(ValueError, match=r"model\.norm\.weight is missing or not of shape"):
        model.load_shipped(tmp_path)


def test_shipped_files_stay_small() -> None:
    sizes = {path.name: path.stat().st_size for path in model.WEIGHTS_FOLDER.iterdir()}
    assert set(sizes) == {model.LAYERS_FILE, model.ROWS_FILE, model.GOLDEN_NAME}
    assert max(sizes.values()) < 2 * 1024 * 1024
