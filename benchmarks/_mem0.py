"""Adds and searches through mem0, in an environment of its own. Run by `server.py --mem0 PYTHON`.

    asked     {"address": "http://127.0.0.1:1234/v1", "width": 384, "texts": [...],
               "queries": [...]}
    answered  {"add": [0.01, ...], "search": [0.01, ...], "version": "2.2.1"}

Its own local store, a folder; nothing is inferred; vectors from the server at that address. Runs
with nothing but mem0ai installed.
"""

import json
import os
import sys
import tempfile
import time
from importlib.metadata import version

os.environ["MEM0_TELEMETRY"] = "False"


def main() -> None:
    asked = json.loads(sys.stdin.readline())
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever a library prints must not stand before the answer
    with tempfile.TemporaryDirectory() as folder:
        os.environ["MEM0_DIR"] = folder
        from mem0 import Memory

        store = {"path": f"{folder}/qdrant", "embedding_model_dims": asked["width"]}
        embedder = {"model": "ipse", "api_key": "none", "openai_base_url": asked["address"]}
        memory = Memory.from_config(
            {
                "vector_store": {"provider": "qdrant", "config": {**store, "on_disk": True}},
                "embedder": {"provider": "openai", "config": embedder},
                "llm": {"provider": "openai", "config": {"api_key": "none"}},
                "history_db_path": f"{folder}/history.db",
            }
        )
        found = {"version": version("mem0ai"), "add": [], "search": []}
        for text in asked["texts"]:
            begun = time.perf_counter()
            memory.add(text, user_id="bob", infer=False)
            found["add"].append(time.perf_counter() - begun)
        for query in asked["queries"]:
            begun = time.perf_counter()
            results = memory.search(query, filters={"user_id": "bob"}, top_k=10, threshold=0.0)
            found["search"].append(time.perf_counter() - begun)
            assert len(results["results"]) == min(10, len(asked["texts"])), results
    answers.write(json.dumps(found) + "\n")
    answers.flush()


if __name__ == "__main__":
    main()
