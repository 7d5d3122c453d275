"""Models and GPUs as data, each number with its source."""

from sweetspot.catalog.architecture import Architecture
from sweetspot.catalog.gpus import Gpu, gpu, gpu_ids, known_gpu
from sweetspot.catalog.huggingface import architecture_from_config
from sweetspot.catalog.loading import config_path, load_model, read_model_config
from sweetspot.catalog.models import CatalogEntry, PaperRow, catalog_entry, catalog_id, model_ids
from sweetspot.catalog.own_files import located, own_files

__all__ = [
    "Architecture",
    "CatalogEntry",
    "Gpu",
    "PaperRow",
    "architecture_from_config",
    "catalog_entry",
    "catalog_id",
    "config_path",
    "gpu",
    "gpu_ids",
    "known_gpu",
    "load_model",
    "located",
    "model_ids",
    "own_files",
    "read_model_config",
]
