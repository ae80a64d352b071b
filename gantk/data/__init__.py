"""Training data: data sources (plugins of kind `data`) and the order in which they are read."""

from gantk.data.cache import cache_aside, cache_folder, cache_lock
from gantk.data.content import sampled_digest
from gantk.data.given import DatasetSource, as_source
from gantk.data.labels import label_array
from gantk.data.mapped import check_whole, map_file, mapped_file, mapped_temporary
from gantk.data.npy import read_array
from gantk.data.source import ArraySource, DataSource, to_float, to_uint8
from gantk.data.zips import open_zip

__all__ = [
    "ArraySource",
    "DataSource",
    "DatasetSource",
    "as_source",
    "cache_aside",
    "cache_folder",
    "cache_lock",
    "check_whole",
    "label_array",
    "map_file",
    "mapped_file",
    "mapped_temporary",
    "open_zip",
    "read_array",
    "sampled_digest",
    "to_float",
    "to_uint8",
]
