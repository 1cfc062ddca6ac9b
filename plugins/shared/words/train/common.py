"""What the trainers share: what is in a text exactly as the steps see them, and the file of a model (src/linear.rs reads it)."""

import json
import subprocess
import warnings
from pathlib import Path

import numpy as np
import scipy.sparse as sp
from sklearn.linear_model import LogisticRegression

# One class against the rest is meant here.
warnings.filterwarnings("ignore", message="Using the 'liblinear' solver", category=FutureWarning)

PLUGINS = Path(__file__).resolve().parents[3]


def asked(package, example, lines, *args):
    """What an example of a package prints for these lines, from JSON and back."""
    command = ["cargo", "run", "--quiet", "--release", "--package", package, "--example", example, "--", *args]
    told = subprocess.run(command, cwd=PLUGINS, input="\n".join(map(json.dumps, lines)), capture_output=True, text=True, check=True)
    return list(map(json.loads, told.stdout.splitlines()))


def bag(blocks):
    """Hashes and values of each list of a text, each list of length 1."""
    found = []
    for block in blocks:
        hashes = np.array([item[0] for item in block], np.uint32)
        values = np.array([item[1] for item in block], np.float64)
        found.append((hashes, values / max(np.linalg.norm(values), 1e-9)))
    return found


def stirred(hashes):
    with np.errstate(over="ignore"):
        hashes = (hashes ^ (hashes >> np.uint32(16))) * np.uint32(0x85EBCA6B)
        hashes = (hashes ^ (hashes >> np.uint32(13))) * np.uint32(0xC2B2AE35)
        return hashes ^ (hashes >> np.uint32(16))


def slots(found, bits):
    """A row a text, a column a slot."""
    at, columns, values = [], [], []
    for row, blocks in enumerate(found):
        for hashes, weights in blocks:
            columns.append(stirred(hashes) & np.uint32((1 << bits) - 1))
            values.append(weights)
            at.append(np.full(len(hashes), row))
    table = (np.concatenate(values), (np.concatenate(at), np.concatenate(columns).astype(np.int64)))
    return sp.csr_matrix(table, shape=(len(found), 1 << bits))


def learn(rows, labels, strength, weights=None):
    model = LogisticRegression(solver="liblinear", dual=True, class_weight="balanced", C=strength, tol=1e-3, max_iter=1000, random_state=1)
    return model.fit(rows, labels, weights)


def softmax(scores):
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def heat(scores, right):
    """The factor on scores with which they are most like what was right: `right` is a column of each row."""
    factors = np.arange(0.1, 6.0, 0.1)
    loss = [-np.log(softmax(scores * f)[np.arange(len(right)), right] + 1e-12).mean() for f in factors]
    return float(factors[int(np.argmin(loss))])


def write(file, weights, offsets, factor):
    """`weights`: a row a slot, a column a class; `factor` times the scores is what softmax gets."""
    scales = np.abs(weights).max(axis=0) / 127
    table = np.rint(weights / scales).clip(-127, 127).astype(np.int8)
    head = np.concatenate([scales * factor, offsets * factor]).astype("<f4")
    Path(file).write_bytes(head.tobytes() + table.tobytes())
    return table * scales
