"""Answers in vLLM's own environment: one JSON line in, one out. Run by `serving.py --vllm PATH`.

    asked     {"prompts": [[1, 2, 3]], "adapters": ["/folder/0"], "tokens": 64}
    answered  {"seconds": 1.5, "tokens": 64}

Adapters are PEFT folders, one a prompt, or none at all. Runs with nothing but vLLM installed.
"""

import json
import os
import sys
import time

os.environ.setdefault("VLLM_LOGGING_LEVEL", "ERROR")
os.environ.setdefault("VLLM_CPU_KVCACHE_SPACE", "2")


def main() -> None:
    model, most, dtype = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever a library prints must not stand among the answers
    from vllm import LLM, SamplingParams
    from vllm.lora.request import LoRARequest

    lm = LLM(
        model,
        dtype=dtype,
        max_model_len=1024,
        max_num_seqs=most,
        max_num_batched_tokens=1024,
        enforce_eager=True,
        enable_lora=True,
        max_loras=most,
        max_cpu_loras=most,
        max_lora_rank=8,
    )
    for line in sys.stdin:
        asked = json.loads(line)
        limits = SamplingParams(
            temperature=0, max_tokens=asked["tokens"], min_tokens=asked["tokens"], ignore_eos=True
        )
        adapters = [
            LoRARequest(folder, 1 + number, folder)
            for number, folder in enumerate(asked["adapters"])
        ]
        prompts = [{"prompt_token_ids": ids} for ids in asked["prompts"]]
        start = time.perf_counter()
        found = lm.generate(prompts, limits, lora_request=adapters or None, use_tqdm=False)
        seconds = time.perf_counter() - start
        tokens = sum(len(one.outputs[0].token_ids) for one in found)
        answers.write(json.dumps({"seconds": seconds, "tokens": tokens}) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
