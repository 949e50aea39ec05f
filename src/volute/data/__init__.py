"""Data for training: a person's files in, packed pictures and their report out."""

from volute.data.check import common_side, open_dataset, open_shards
from volute.data.dataset import Dataset
from volute.data.report import Report
from volute.data.sampler import Sampler, split
from volute.data.scenes import is_scenes
from volute.data.settings import DataSettings
from volute.data.shards import Shards, is_shards
from volute.data.sizes import check_size, valid_sizes

__all__ = [
    "DataSettings",
    "Dataset",
    "Report",
    "Sampler",
    "Shards",
    "check_size",
    "common_side",
    "is_scenes",
    "is_shards",
    "open_dataset",
    "open_shards",
    "split",
    "valid_sizes",
]
