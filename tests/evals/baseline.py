"""The baseline of the evals: TF-IDF of words (1-2) and of letters within words (2-5), and a linear model.

Standard input: a list of {"model": "lr" | "svm", "train": [[text, label], ..], "test": [text, ..]}.
Standard output: a list of {"labels", "scores", "micros"}, an item a lesson; a label and a score a text.
"""

import json
import sys
import time

from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline, make_union
from sklearn.svm import LinearSVC


def model(name):
    features = make_union(
        TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True),
        TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), sublinear_tf=True),
    )
    if name == "lr":
        return make_pipeline(features, LogisticRegression(max_iter=2000, class_weight="balanced"))
    return make_pipeline(features, LinearSVC())


def judge(lesson):
    texts, labels = zip(*lesson["train"])
    learnt = model(lesson["model"]).fit(texts, labels)
    start = time.perf_counter()
    if lesson["model"] == "lr":
        scores = learnt.predict_proba(lesson["test"])
    else:
        scores = learnt.decision_function(lesson["test"])
    seconds = time.perf_counter() - start
    return {
        "labels": [str(learnt.classes_[row.argmax()]) for row in scores],
        "scores": [float(row.max()) for row in scores],
        "micros": 1e6 * seconds / len(lesson["test"]),
    }


if __name__ == "__main__":
    json.dump([judge(lesson) for lesson in json.load(sys.stdin)], sys.stdout)
