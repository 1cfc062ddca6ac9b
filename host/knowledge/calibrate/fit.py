#!/usr/bin/env python3
"""Fits the weights of src/evidence.rs: how sure a search is that its best passage answers.

    pointsman knowledge add refusal-en xquad-en.refusal.jsonl
    pointsman knowledge search refusal-en --jsonl < xquad-en.queries.dev.jsonl > found-en.jsonl
    calibrate/fit.py found-en.jsonl xquad-en.queries.dev.jsonl [found-de.jsonl ...]

A base holds the paragraphs whose article % 4 != 3, so about a quarter of the questions has no answer in it; the queries' field
`answerable_in_refusal_corpus` says which. Only development splits belong here. Prints the weights, and AUROC in each language by
weights that were fitted on the others. Plain Python, no packages.

With `--spoken` first it fits the weights for bases with vectors and questions in their language, with `--across` those for questions in
another one, from searches of such.
"""
import json
import math
import os
import re
import sys

MODE = sys.argv[1] if sys.argv[1:2] and sys.argv[1] in ("--spoken", "--across") else ""
FILES = sys.argv[2:] if MODE else sys.argv[1:]
WORDS = ["coverage", "share", "lead", "near", "matched"]
NAMES = {"": WORDS, "--spoken": ["cosine", "words"], "--across": ["cosine"]}[MODE]
PREFIX = MODE.strip("-").upper() + "_" if MODE else ""


def said(evidence):
    values = [evidence[name] for name in WORDS]
    values[4] = math.log1p(min(values[4], 8))
    return values


def words(evidence):
    """What src/evidence.rs makes of the words alone."""
    source = open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../src/evidence.rs"), encoding="utf-8").read()
    weight = {name: float(value) for name, value in re.findall(r"const (\w+): f32 = (-?[\d.]+);", source)}
    if evidence["matched"] == 0:
        return -weight["SURE"]
    total = weight["BIAS"] + sum(weight[name.upper()] * value for name, value in zip(WORDS, said(evidence)))
    return max(-weight["SURE"], min(weight["SURE"], total))


def features(evidence):
    if MODE == "":
        return said(evidence)
    cosine = evidence["likeness"]["cosine"]
    return [cosine, words(evidence)] if MODE == "--spoken" else [cosine]


def load(paths):
    sets = []
    for found, queries in zip(paths[::2], paths[1::2]):
        labels = {q["id"]: q["answerable_in_refusal_corpus"] for q in map(json.loads, open(queries, encoding="utf-8"))}
        lines = list(map(json.loads, open(found, encoding="utf-8")))
        sets.append([(features(line["evidence"]), labels[line["id"]]) for line in lines])
    return sets


def fit(rows, rounds=4000, rate=0.5, ridge=0.002):
    """Logistic regression by gradient descent on standardised features; both classes weigh the same."""
    count = len(NAMES)
    mean = [sum(x[i] for x, _ in rows) / len(rows) for i in range(count)]
    spread = [math.sqrt(sum((x[i] - mean[i]) ** 2 for x, _ in rows) / len(rows)) or 1.0 for i in range(count)]
    rows = [([(x[i] - mean[i]) / spread[i] for i in range(count)], y) for x, y in rows]
    yes = sum(1 for _, y in rows if y)
    weight = {True: 0.5 / yes, False: 0.5 / (len(rows) - yes)}
    w, b = [0.0] * count, 0.0
    for _ in range(rounds):
        gw, gb = [ridge * v for v in w], 0.0
        for x, y in rows:
            error = (1 / (1 + math.exp(-(b + sum(v * f for v, f in zip(w, x))))) - y) * weight[y]
            gb += error
            for i in range(count):
                gw[i] += error * x[i]
        w, b = [v - rate * g for v, g in zip(w, gw)], b - rate * gb
    w = [v / s for v, s in zip(w, spread)]
    return w, b - sum(v * m for v, m in zip(w, mean))


def score(model, x):
    return model[1] + sum(v * f for v, f in zip(model[0], x))


def auroc(model, rows):
    yes = [score(model, x) for x, y in rows if y]
    no = [score(model, x) for x, y in rows if not y]
    return sum((a > b) + 0.5 * (a == b) for a in yes for b in no) / (len(yes) * len(no))


def main():
    sets = load(FILES)
    for n, held in enumerate(sets):
        rest = [row for m, rows in enumerate(sets) if m != n for row in rows] or held
        print(f"{FILES[2 * n]}: AUROC {auroc(fit(rest), held):.3f} by the weights of the others")
    rows = [row for rows in sets for row in rows]
    w, b = fit(rows)
    # The confidence 0.5 is where nine of ten answerable questions still pass.
    passing = sorted(score((w, b), x) for x, y in rows if y)
    cut = passing[len(passing) // 10]
    b -= cut
    wrong = sum(1 for x, y in rows if not y and score((w, b), x) >= 0)
    none = sum(1 for _, y in rows if not y)
    print(f"at the threshold: {sum(1 for s in passing if s >= cut)} of {len(passing)} answered, {wrong} of {none} answered wrongly")
    print(f"const {PREFIX}BIAS: f32 = {b:.3f};")
    for name, value in zip(NAMES, w):
        print(f"const {PREFIX}{name.upper()}: f32 = {value:.3f};")


main()
