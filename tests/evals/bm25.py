"""The baseline of retrieval: Okapi BM25 (k1 1.2, b 0.75) over lower-case words of \\w+, without stems or stop words.

Standard input: a list of {"corpus": [[id, text], ..], "queries": [text, ..]}.
Standard output: a list of {"ranked": [[id, .. at most 10], ..], "scores": [best, ..], "micros"}, an item a base.
"""

import json
import math
import re
import sys
import time
from collections import Counter

K1, B = 1.2, 0.75


def words(text):
    return re.findall(r"\w+", text.lower())


def search(job):
    ids = [one[0] for one in job["corpus"]]
    texts = [Counter(words(one[1])) for one in job["corpus"]]
    lengths = [sum(text.values()) for text in texts]
    mean = sum(lengths) / len(lengths)
    postings = {}
    for number, text in enumerate(texts):
        for word, times in text.items():
            postings.setdefault(word, []).append((number, times))
    ranked, best = [], []
    start = time.perf_counter()
    for query in job["queries"]:
        scores = {}
        for word in words(query):
            found = postings.get(word, [])
            weight = math.log(1 + (len(ids) - len(found) + 0.5) / (len(found) + 0.5))
            for number, times in found:
                norm = K1 * (1 - B + B * lengths[number] / mean)
                scores[number] = scores.get(number, 0.0) + weight * times * (K1 + 1) / (times + norm)
        order = sorted(scores.items(), key=lambda pair: (-pair[1], pair[0]))[:10]
        ranked.append([ids[number] for number, _ in order])
        best.append(order[0][1] if order else 0.0)
    return {"ranked": ranked, "scores": best, "micros": 1e6 * (time.perf_counter() - start) / len(job["queries"])}


if __name__ == "__main__":
    json.dump([search(job) for job in json.load(sys.stdin)], sys.stdout)
