"""Finds the numbers of src/sure.rs: how sure a guess is, and how sure it must be.

    python sure.py EVALS

EVALS is the folder of the labelled texts, of which the training files of `intents` alone are read; of BANKING77 and HWU64, which have
no development split there, the first 20 of each intent, for the others are asked in tests/evals. Each set is asked in two ways. Large:
part by part, of the examples three intents of ten are kept away, so that their lines are texts without an intent. Small: 2 to 8
intents alone, as a small shop has them; as many lines of others are texts without one. The weights are a logistic regression
in which every set counts alike. The threshold is the highest whole hundredth at which the mean over the sets, each judged by weights
found on the other sets, loses at most COST of the right guesses on texts that have an intent. Sets and licences: README.md of that
folder. Packages: tests/evals/requirements.txt.
"""

import json
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.preprocessing import StandardScaler

PLUGINS = Path(__file__).resolve().parents[3]
# How many examples of each intent are read, where not all are.
SETS = {"banking77.train-30shot": 20, "clinc150.train-30shot": None, "hint3-curekart.train": None, "hint3-powerplay11.train": None,
        "hint3-sofmattress.train": None, "hwu64.train-30shot": 20}
FOLDS = 5
HIDDEN = 0.3
SMALL = (2, 3, 4, 5, 6, 8)
COST = 0.01


def read(file, most):
    counts, lines = {}, []
    for line in map(json.loads, file.read_text().splitlines()):
        intent = line["intent"]
        counts[intent] = counts.get(intent, 0) + 1
        if most is None or counts[intent] <= most:
            lines.append((line["text"], None if intent == "oos" else intent))
    return lines


def large(lines, chance):
    """Examples and questions; a question whose intent was kept away has none."""
    chance.shuffle(lines)
    names = sorted({intent for _, intent in lines if intent})
    for fold in range(FOLDS):
        hidden = set(chance.sample(names, round(HIDDEN * len(names))))
        known = lambda intent: None if intent in hidden else intent
        train = [(intent, text) for at, (text, intent) in enumerate(lines) if at % FOLDS != fold and intent not in hidden]
        ask = [(known(intent), text) for at, (text, intent) in enumerate(lines) if at % FOLDS == fold]
        yield train, chance.sample(ask, min(len(ask), 250))


def small(lines, chance):
    """The same with a few intents, of those that have enough lines."""
    names = [intent for _, intent in lines if intent]
    names = sorted({intent for intent in names if names.count(intent) >= 8})
    for count in SMALL:
        chance.shuffle(lines)
        few = set(chance.sample(names, count))
        train = [(intent, text) for at, (text, intent) in enumerate(lines) if at % 3 and intent in few]
        asked = lines[::3]
        within = [(intent, text) for text, intent in asked if intent in few][:40]
        without = [(None, text) for text, intent in asked if intent not in few][: len(within)]
        yield train, within + without


def ask(evals):
    """Of every question: its set, the intent that is wanted, the one that is told, and the signs."""
    chance = random.Random(3)
    jobs, wanted, sets = [], [], []
    for name, most in SETS.items():
        lines = read(evals / f"intents/{name}.jsonl", most)
        for way in (large, small):
            for train, questions in way(list(lines), chance):
                jobs.append(json.dumps({"train": train, "ask": [text for _, text in questions]}))
                wanted += [intent for intent, _ in questions]
                sets += [f"{name} {way.__name__}"] * len(questions)
    command = ["cargo", "run", "--quiet", "--release", "--package", "pointsman-intent", "--example", "signs"]
    told = subprocess.run(command, cwd=PLUGINS, input="\n".join(jobs), capture_output=True, text=True, check=True).stdout
    answers = [json.loads(line) for line in told.splitlines()]
    return [(name, want, *answer) for name, want, answer in zip(sets, wanted, answers) if answer is not None]


def main(evals):
    sets, wanted, guess, signs = (list(column) for column in zip(*ask(evals)))
    sets, signs = np.array(sets), np.array(signs)
    right = np.array([want is not None and want == got for want, got in zip(wanted, guess)])
    within = np.array([want is not None for want in wanted])

    def fit(of):
        scale = StandardScaler().fit(signs[of])
        weights = np.array([1.0 / (sets == name).sum() for name in sets[of]])
        model = LogisticRegression(C=1.0).fit(scale.transform(signs[of]), right[of], sample_weight=weights * len(weights))
        weights = model.coef_[0] / scale.scale_
        return np.append(weights, model.intercept_[0] - (weights * scale.mean_).sum())

    sure = np.zeros(len(sets))
    for file in SETS:
        of = np.char.startswith(sets, file)
        weights = fit(~of)
        sure[of] = 1 / (1 + np.exp(-(signs[of] @ weights[:-1] + weights[-1])))
    names = np.unique(sets)
    lost = lambda of, threshold: (right & (sure < threshold))[of & within].mean()
    recall = lambda of, threshold: (sure < threshold)[of & ~within].mean()
    for name in names:
        of = sets == name
        line = [f"{name}: in scope {right[of & within].mean():.3f}, AUROC {roc_auc_score(within[of], sure[of]):.3f}"]
        line += [f"{threshold}: -{lost(of, threshold):.3f}/{recall(of, threshold):.3f}" for threshold in (0.05, 0.1, 0.15, 0.2, 0.3)]
        print(", ".join(line))
    cost = lambda threshold: np.mean([lost(sets == name, threshold) for name in names])
    threshold = max(hundredth / 100 for hundredth in range(100) if cost(hundredth / 100) <= COST)
    mean = np.mean([recall(sets == name, threshold) for name in names])
    print(f"THRESHOLD {threshold}: loses {cost(threshold):.4f}, out-of-scope recall {mean:.3f}")
    print("WEIGHTS", [round(float(weight), 4) for weight in fit(np.full(len(sets), True))])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
