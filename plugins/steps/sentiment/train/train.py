"""Makes src/ratings.bin, what words and emoji are rated, and src/model.bin, whether a text is negative, neutral or positive.

    python train.py EVALS SOURCES

EVALS is the folder of the labelled texts, of which training files alone are read. SOURCES holds, under these names, what else is
learnt from: goemotions.tsv, amazon_cells_labelled.txt, imdb_labelled.txt, yelp_labelled.txt, vader_lexicon.txt,
emoji-sentiment.json. Where each is from, and its licence: MODEL.md. Packages: tests/evals/requirements.txt.
"""

import json
import random
import sys
from pathlib import Path

import numpy as np
from sklearn.metrics import f1_score
from sklearn.model_selection import GroupKFold

HERE = Path(__file__).resolve().parents[1]
sys.path.append(str(HERE.parents[1] / "shared/words/train"))
from common import asked, bag, heat, learn, slots, write  # noqa: E402

SETS = ["en-nusax", "id-nusax", "jv-nusax", "su-nusax", "ar-dz-afrisenti", "ar-ma-afrisenti", "pt-mz-afrisenti"]
# Requests: people who want something say it in no mood. Their labels are ours; they are no part of a model's figures.
REQUESTS = [("clinc150.train-30shot", 300), ("hwu64.train-30shot", 150)]
# How GoEmotions groups its emotions. Curiosity is how questions are asked; desire, surprise and doubt are left out, and what is
# several moods at once.
POSITIVE = {0, 1, 4, 5, 13, 15, 17, 18, 20, 21, 23}
NEGATIVE = {2, 3, 9, 10, 11, 12, 14, 16, 19, 24, 25}
NEUTRAL = {7, 27}
REVIEWS = ["amazon_cells", "imdb", "yelp"]
# In the order of src/model.rs; the last is for every other language, and learns from all.
MODELS = ["ar", "en", "id", "jv", "pt", "su", "any"]
LABELS = ["negative", "neutral", "positive"]
# How much a line counts: many comments are not to drown the few lines of customers.
WEIGHT = {"en-nusax": 4.0, "en-comments": 0.1}
BITS = 17
STRENGTHS = [1.0, 5.0]


def ratings(sources):
    """Words and how they are rated, -4 to 4."""
    for line in (sources / "vader_lexicon.txt").read_text().splitlines():
        word, rating = line.split("\t")[:2]
        if any(c.isalpha() for c in word) and not any(c.isdigit() or c in "():;=<>*" for c in word):
            yield word, float(rating)
    for emoji in json.loads((sources / "emoji-sentiment.json").read_text()):
        if emoji["occurrences"] >= 10:
            sign = "".join(chr(int(part, 16)) for part in emoji["sequence"].split("-"))
            # Seen seldom, believed less.
            yield sign, 4 * (emoji["positive"] - emoji["negative"]) / (emoji["occurrences"] + 20)


class Lines:
    """Texts with what is known of them."""

    def __init__(self):
        self.texts, self.labels, self.sets, self.groups = [], [], [], []

    def take(self, text, label, name, group):
        self.texts.append(text)
        self.labels.append(label)
        self.sets.append(name)
        self.groups.append(group)


def read(evals, sources):
    lines = Lines()
    for name in SETS:
        for line in (evals / f"sentiment/{name}.train.jsonl").read_text().splitlines():
            item = json.loads(line)
            # A line of NusaX stands in four languages.
            lines.take(item["text"], item["label"], name, item["id"].split("-")[-1] if "nusax" in name else item["id"])
    chance = random.Random(7)
    for name, count in REQUESTS:
        for number, line in enumerate(chance.sample((evals / f"intents/{name}.jsonl").read_text().splitlines(), count)):
            lines.take(json.loads(line)["text"], "neutral", "en-requests", f"{name} {number}")
    comments = (sources / "goemotions.tsv").read_text().splitlines()
    chance.shuffle(comments)
    for line in comments:
        text, emotions, name = line.split("\t")
        emotions = set(map(int, emotions.split(",")))
        text = text.replace("[NAME]", "").replace("[RELIGION]", "")
        for label, group in zip(LABELS, (NEGATIVE, NEUTRAL, POSITIVE)):
            if emotions <= group:
                lines.take(text, label, "en-comments", name)
    for name in REVIEWS:
        for number, line in enumerate((sources / f"{name}_labelled.txt").read_text().split("\n")):
            text, tab, liked = line.rpartition("\t")
            if tab:
                lines.take(text.strip(), "positive" if liked.strip() == "1" else "negative", "en-reviews", f"{name} {number}")
    return lines


def main(evals, sources):
    asked("pointsman-sentiment", "tones", ratings(sources), str(HERE / "src/ratings.bin"))
    lines = read(evals, sources)
    labels, sets, groups = np.array(lines.labels), np.array(lines.sets), np.array(lines.groups)
    languages = np.array([name[:2] for name in lines.sets])
    right = np.array([LABELS.index(label) for label in lines.labels])
    weights = np.array([WEIGHT.get(name, 1.0) for name in lines.sets])
    rows = slots([bag(blocks) for blocks in asked("pointsman-sentiment", "tones", lines.texts)], BITS)
    print({name: int((sets == name).sum()) for name in sorted(set(lines.sets))})

    tables, sizes = [], []
    for model in MODELS:
        own = np.flatnonzero((languages == model) | (model == "any"))
        best = None
        for strength in STRENGTHS:
            scores = np.zeros((len(own), len(LABELS)))
            for train, test in GroupKFold(5).split(own, labels[own], groups[own]):
                learnt = learn(rows[own[train]], labels[own[train]], strength, weights[own[train]])
                scores[test] = learnt.decision_function(rows[own[test]])
            given = scores.argmax(axis=1)
            each = {}
            for name in sorted(set(sets[own].tolist()) - {"en-requests"}):
                of = sets[own] == name
                known = sorted(set(right[own][of].tolist()))
                each[name] = round(float(f1_score(right[own][of], given[of], labels=known, average="macro")), 3)
            figure = float(np.mean(list(each.values())))
            print(f"{model} C={strength}: macro-F1 {each}", flush=True)
            if best is None or figure > best[0]:
                best = (figure, strength, heat(scores, right[own]))
        _, strength, factor = best
        learnt = learn(rows[own], labels[own], strength, weights[own])
        assert list(learnt.classes_) == LABELS
        file = HERE / f"src/{model}.bin"
        rounded = write(file, learnt.coef_.T, learnt.intercept_, factor)
        again = (rows[own] @ rounded + learnt.intercept_).argmax(axis=1)
        same = np.mean(again == learnt.decision_function(rows[own]).argmax(axis=1))
        print(f"{model}: C={strength}, factor {factor:.1f}; rounding keeps {same:.4f} of the answers")
        tables.append(file.read_bytes())
        file.unlink()
        sizes.append(len(tables[-1]))
    assert len(set(sizes)) == 1
    (HERE / "src/model.bin").write_bytes(b"".join(tables))
    print(sum(sizes), "bytes")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
