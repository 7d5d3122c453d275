"""Model families whose config.json can be read, by model_type.

Source of all defaults: transformers, the config class of each model_type.
"""

from sweetspot.catalog.families.dense import DENSE
from sweetspot.catalog.families.family import Family
from sweetspot.catalog.families.gpt import GPT_LIKE
from sweetspot.catalog.families.hybrids import HYBRIDS
from sweetspot.catalog.families.latent import LATENT
from sweetspot.catalog.families.mixtures import MIXTURES

FAMILIES: dict[str, Family] = DENSE | GPT_LIKE | MIXTURES | LATENT | HYBRIDS
