"""Writes the Parquet files of tests/data/imagenet with PyArrow, as Hugging Face's `datasets` has its images.

    pip install pyarrow && python hf_parquet.py OUTPUT_DIR
"""
import json
import sys
import pyarrow as pa
import pyarrow.parquet as pq

TYPE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
NAMES = ["tench, Tinca tinca", "crane", "crane"]
META = {"huggingface": json.dumps({"info": {"features": {
    "image": {"_type": "Image"}, "label": {"names": NAMES, "_type": "ClassLabel"}}}})}


def table(paths, labels, kind=pa.int64()):
    images = [None if path is None else {"bytes": f"bytes of {path}".encode() * 40, "path": path} for path in paths]
    columns = [pa.array(range(len(labels))), pa.array(images, TYPE), pa.array(labels, kind)]
    schema = pa.schema([("id", pa.int64()), ("image", TYPE), ("label", kind)], metadata=META)
    return pa.Table.from_arrays(columns, schema=schema)


def write(name, rows, **options):
    pq.write_table(rows, f"{sys.argv[1]}/{name}.parquet", **options)


wnids = ["n01440764", "n02012849", "n03126707"]
suffixed = [f"{wnids[n % 3]}_{n}_{wnids[n % 3]}.JPEG" for n in range(8)]
# Dictionaries, snappy, several groups, no page index.
write("suffixed-train", table(suffixed, [n % 3 for n in range(8)]), row_group_size=3, compression="snappy")
# Small pages with an index, int32, no compression, as newer versions write them; a row without a label and one without an image.
words = [f"{n}.png" for n in range(6)]
words[4] = None
write("words-validation", table(words, [0, 1, 2, None, 1, -1], pa.int32()), compression="none", use_dictionary=False,
      data_page_size=1, write_page_index=True, write_batch_size=1)
