"""Secrets are told by their names or as part of a URL, and nothing else is taken for one."""

import pytest

from sweetspot.credentials import secret_in, without_secrets

KEPT = {
    "PATH": "/bin",
    "PWD": "/home/me",
    "OLDPWD": "/",
    "TOKENIZERS_PARALLELISM": "false",
    "VLLM_MAX_TOKENS": "8192",
    "GIT_AUTHOR_NAME": "me",
    "HF_HOME": "/cache@node",
    "CUDA_VISIBLE_DEVICES": "GPU-0",
    "SWEETSPOT_JOB": "0f",
    "https_proxy": "http://proxy.example:3128",
}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *((name, "x") for name in ("HF_TOKEN", "AWS_SECRET_ACCESS_KEY", "AWS_ACCESS_KEY_ID")),
        *((name, "x") for name in ("WANDB_API_KEY", "ngc_api_key", "PGPASSWORD", "MYSQL_PWD")),
        *(
            (name, "x")
            for name in ("GITHUB_PAT", "SLURM_JWT", "NGC_APIKEY", "SMTP_PASS", "DB_PASSWORD_2")
        ),
        ("http_proxy", "http://me:word@proxy.example:3128"),
        ("PIP_INDEX_URL", "https://token@packages.example/simple"),
    ],
)
def test_secret_is_taken_out_of_an_environment_and_nothing_else(name, value):
    assert without_secrets(KEPT | {name: value}) == KEPT


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("env HF_TOKEN=hf_secret python3", "a value of HF_TOKEN"),
        ("docker://me:word@registry.example/vllm", "a password in a URL"),
        ("conda run -n engine python", ""),
        ("env HF_HUB_OFFLINE=1 python3", ""),
        ("docker://registry.example/vllm@sha256:0f", ""),
        ("docker://vllm@sha256:0f", ""),
    ],
)
def test_secret_in_a_command_is_named_without_its_value(text, kind):
    assert secret_in(text) == kind
