"""Writes the `meta.mat` files of tests/data/imagenet with SciPy, an implementation of MATLAB's format 5 of its own.

The numbers are such that ILSVRC2012_IDs are not the places of the sorted names, as in ImageNet.

    pip install scipy && python meta_mat.py OUTPUT_DIR
"""
import sys
import numpy as np
from scipy.io import savemat

rows = [
    (3, "n01440764", "tench, Tinca tinca", 0), (1, "n02119789", "kit fox, Vulpes macrotis", 0),
    (2, "n02100735", "English setter", 0), (300, "n00001740", "entity \u00e9", 2),
]
fields = [("ILSVRC2012_ID", "O"), ("WNID", "O"), ("words", "O"), ("num_children", "O"), ("children", "O")]
synsets = np.zeros((len(rows), 1), dtype=fields)
for at, (number, wnid, words, children) in enumerate(rows):
    # MATLAB stores whole doubles in the smallest type that holds them, as SciPy does for small integers of these types.
    kind = [np.uint8, np.float64, np.int32, np.uint16][at]
    synsets[at, 0] = (np.array([[number]], dtype=kind), wnid, words, np.array([[children]], np.uint8),
                      np.arange(children, dtype=np.float64))
for name, packed in [("meta", True), ("meta-plain", False)]:
    savemat(f"{sys.argv[1]}/{name}.mat", {"other": np.eye(3), "synsets": synsets}, do_compression=packed, format="5")
