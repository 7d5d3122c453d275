"""Count parameters of published_models.yaml afresh, with transformers and without memory.

    .venv-torch/bin/python tests/catalog/count_parameters.py

prints every model whose count differs. The suite does not run it: it takes a minute, and the table
keeps what it found.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

TABLE = Path(__file__).with_name("published_models.yaml")
# In place of model types that transformers reads with code of the checkpoint, or as a part only.
SAME_AS = {
    "kimi_k2": "deepseek_v3",
    "qwen3_vl_text": "qwen3",
    "qwen3_vl_moe_text": "qwen3_moe",
}


def count(config: dict[str, Any]) -> int:
    """Return how many parameters the language model of a config.json has."""
    import torch
    from transformers import AutoModelForCausalLM
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING

    model_type = config["model_type"]
    text = dict(config.get("text_config", config))
    if "tie_word_embeddings" in config:
        text.setdefault("tie_word_embeddings", config["tie_word_embeddings"])
    text.setdefault("model_type", {"gemma3": "gemma3_text"}.get(model_type))
    of_type = CONFIG_MAPPING[SAME_AS.get(text["model_type"], text.pop("model_type"))]
    text.pop("model_type", None)
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(of_type.from_dict(text))
    model.tie_weights()
    return sum(weight.numel() for weight in model.parameters())


def main() -> None:
    """Compare all models of the table."""
    read = "import json, sys, yaml; print(json.dumps(yaml.safe_load(open(sys.argv[1]))))"
    with_yaml = Path(".venv/bin/python")  # the other environment may lack it
    table = json.loads(subprocess.check_output([with_yaml, "-c", read, TABLE], text=True))
    for model, row in table.items():
        if (
            row["count"] == "blocks"
        ):  # of a model that transformers reads with the checkpoint's code
            continue
        found = count(row["config"])
        if found != row["parameters"]:
            print(f"{model}: {found}, not {row['parameters']}")
    print(f"{len(table)} models", file=sys.stderr)


if __name__ == "__main__":
    main()
