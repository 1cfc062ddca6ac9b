"""Fits the numbers of src/sure.rs: how sure a guess is.

    python sure.py EVALS

EVALS is the folder of the labelled texts, of which the training files of `intents` alone are read. Of each set a fifth of the lines
is asked at a time, of the examples three intents of ten are kept away, so that their lines are texts without an intent. Sets and
licences: README.md of that folder. Packages: tests/evals/requirements.txt.
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
SETS = ["banking77.train-30shot", "clinc150.train-30shot", "hint3-curekart.train", "hint3-powerplay11.train", "hint3-sofmattress.train",
        "hwu64.train-30shot"]
FOLDS = 5
HIDDEN = 0.3


def folds(lines, chance):
    """Examples and questions; a question whose intent was kept away has none."""
    chance.shuffle(lines)
    names = sorted({intent for _, intent in lines} - {"oos"})
    for fold in range(FOLDS):
        hidden = set(chance.sample(names, round(HIDDEN * len(names))))
        known = lambda intent: None if intent == "oos" or intent in hidden else intent
        train = [(known(intent), text) for at, (text, intent) in enumerate(lines) if at % FOLDS != fold and intent not in hidden]
        ask = [(known(intent), text) for at, (text, intent) in enumerate(lines) if at % FOLDS == fold]
        # Shops have some tens of intents and some hundred examples; large sets are asked in part.
        yield train, chance.sample(ask, min(len(ask), 250))


def main(evals):
    chance = random.Random(3)
    jobs, wanted, sets = [], [], []
    for name in SETS:
        lines = [json.loads(line) for line in (evals / f"intents/{name}.jsonl").read_text().splitlines()]
        for train, ask in folds([(line["text"], line["intent"]) for line in lines], chance):
            jobs.append(json.dumps({"train": train, "ask": [text for _, text in ask]}))
            wanted += [intent for intent, _ in ask]
            sets += [name] * len(ask)
    command = ["cargo", "run", "--quiet", "--release", "--package", "pointsman-intent", "--example", "signs"]
    told = subprocess.run(command, cwd=PLUGINS, input="\n".join(jobs), capture_output=True, text=True, check=True).stdout
    answers = [json.loads(line) for line in told.splitlines()]
    kept = [at for at, answer in enumerate(answers) if answer is not None]
    guess = [answers[at][0] for at in kept]
    signs = np.array([answers[at][1] for at in kept])
    wanted = [wanted[at] for at in kept]
    sets = np.array([sets[at] for at in kept])
    right = np.array([want is not None and want == got for want, got in zip(wanted, guess)])
    within = np.array([want is not None for want in wanted])
    best = np.array([want == got for want, got in zip(wanted, guess)])

    def fit(of):
        scale = StandardScaler().fit(signs[of])
        weights = np.array([1.0 / (sets == name).sum() for name in sets[of]])
        model = LogisticRegression(C=1.0).fit(scale.transform(signs[of]), right[of], sample_weight=weights * len(weights))
        weights = model.coef_[0] / scale.scale_
        return np.append(weights, model.intercept_[0] - (weights * scale.mean_).sum())

    sure = np.zeros(len(kept))
    for name in SETS:
        weights = fit(sets != name)
        of = sets == name
        sure[of] = 1 / (1 + np.exp(-(signs[of] @ weights[:-1] + weights[-1])))
    for name in SETS:
        of = sets == name
        line = [f"{name}: in scope {best[of & within].mean():.3f}, AUROC {roc_auc_score(within[of], sure[of]):.3f}"]
        for threshold in (0.15, 0.2, 0.25, 0.3, 0.4, 0.5):
            told = sure >= threshold
            line.append(f"{threshold}: {(best & told)[of & within].mean():.3f}/{(~told)[of & ~within].mean():.3f}")
        print(", ".join(line))
    print("WEIGHTS", [round(float(weight), 4) for weight in fit(np.full(len(kept), True))])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
