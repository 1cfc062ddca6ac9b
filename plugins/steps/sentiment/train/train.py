"""Makes src/model.bin: whether a text is negative, neutral or positive.

    python train.py EVALS

EVALS is the folder of the labelled texts, of which the training files of `sentiment` alone are read. Sources and licences:
MODEL.md. Packages: tests/evals/requirements.txt.
"""

import json
import random
import sys
from pathlib import Path

import numpy as np
from sklearn.metrics import f1_score
from sklearn.model_selection import GroupKFold

sys.path.append(str(Path(__file__).resolve().parents[3] / "shared/words/train"))
from common import bags, heat, learn, slots, write  # noqa: E402

SETS = ["en-nusax", "id-nusax", "jv-nusax", "su-nusax", "ar-dz-afrisenti", "ar-ma-afrisenti", "pt-mz-afrisenti"]
# Requests: people who want something say it in no mood. Their labels are ours; they help one model and are no part of its figures.
REQUESTS = [("clinc150.train-30shot", 80), ("hwu64.train-30shot", 40)]
# In the order of src/model.rs; the last is for every other language, and learns from all.
MODELS = ["ar", "en", "id", "jv", "pt", "su", "any"]
LABELS = ["negative", "neutral", "positive"]
BITS = 17
STRENGTHS = [2.0, 5.0]


def main(evals):
    texts, labels, sets, groups = [], [], [], []
    for name in SETS:
        for line in (evals / f"sentiment/{name}.train.jsonl").read_text().splitlines():
            item = json.loads(line)
            texts.append(item["text"])
            labels.append(item["label"])
            sets.append(name)
            # A line of NusaX stands in four languages.
            groups.append(item["id"].split("-")[-1] if "nusax" in name else item["id"])
    chance = random.Random(7)
    for name, count in REQUESTS:
        for number, line in enumerate(chance.sample((evals / f"intents/{name}.jsonl").read_text().splitlines(), count)):
            texts.append(json.loads(line)["text"])
            labels.append("neutral")
            sets.append("en-requests")
            groups.append(f"{name} {number}")
    labels, sets, groups = np.array(labels), np.array(sets), np.array(groups)
    languages = np.array([name[:2] for name in sets])
    right = np.array([LABELS.index(label) for label in labels])
    rows = slots(bags(texts), BITS)

    tables, sizes = [], []
    for model in MODELS:
        own = np.flatnonzero((languages == model) | (model == "any"))
        best = None
        for strength in STRENGTHS:
            scores = np.zeros((len(own), len(LABELS)))
            for train, test in GroupKFold(5).split(own, labels[own], groups[own]):
                scores[test] = learn(rows[own[train]], labels[own[train]], strength).decision_function(rows[own[test]])
            given = scores.argmax(axis=1)
            each = {}
            for name in sorted(set(sets[own].tolist()) & set(SETS)):
                of = sets[own] == name
                each[name] = round(float(f1_score(right[own][of], given[of], average="macro")), 3)
            figure = float(np.mean(list(each.values())))
            print(f"{model} C={strength}: macro-F1 {each}")
            if best is None or figure > best[0]:
                best = (figure, strength, heat(scores, right[own]))
        _, strength, factor = best
        learnt = learn(rows[own], labels[own], strength)
        assert list(learnt.classes_) == LABELS
        file = Path(__file__).resolve().parents[1] / f"src/{model}.bin"
        rounded = write(file, learnt.coef_.T, learnt.intercept_, factor)
        again = (rows[own] @ rounded + learnt.intercept_).argmax(axis=1)
        same = np.mean(again == learnt.decision_function(rows[own]).argmax(axis=1))
        print(f"{model}: C={strength}, factor {factor:.1f}; rounding keeps {same:.4f} of the answers")
        tables.append(file.read_bytes())
        file.unlink()
        sizes.append(len(tables[-1]))
    assert len(set(sizes)) == 1
    (Path(__file__).resolve().parents[1] / "src/model.bin").write_bytes(b"".join(tables))
    print(sum(sizes), "bytes")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
