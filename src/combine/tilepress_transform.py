"""Patch extraction for composites made by tilepress, as a torchvision transform.

A composite is a grid of whole images of one class. A plain RandomResizedCrop cuts across them; this
transform picks one tile, each as likely as the others, and crops inside that tile only:

    from torchvision import datasets, transforms
    from tilepress_transform import PatchExtract

    train = datasets.ImageFolder("data", transforms.Compose([
        PatchExtract.from_manifest("manifest.json"),
        transforms.RandomHorizontalFlip(),
        transforms.ToTensor(),
        transforms.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    ]))

Put it first, before anything that changes the composite's geometry. Takes PIL images and tensors of
C x H x W (or N x C x H x W, one crop for all); randomness is torch's, so torch.manual_seed repeats it.
"""
import json

import torch
from torchvision import transforms
from torchvision.transforms import functional as F


class PatchExtract(torch.nn.Module):
    """One tile of a composite, then RandomResizedCrop inside it.

    grid: (rows, columns) of tiles. size: side of the result in pixels. r: smallest area of the crop as a
    share of the tile's (scale (r, 1)). ratio: range of the crop's width / height.
    """

    def __init__(self, grid, size, r=0.5, ratio=(3 / 4, 4 / 3)):
        super().__init__()
        self.grid, self.size, self.r = tuple(grid), size, r
        self.crop = transforms.RandomResizedCrop(size, scale=(r, 1.0), ratio=ratio, antialias=True)

    @classmethod
    def from_manifest(cls, path, size=None, **options):
        """The transform for the set whose manifest.json lies at `path`; `size` is the composites' own and `r`
        that of the run unless told otherwise."""
        with open(path, encoding="utf-8") as file:
            manifest = json.load(file)
        rows, _, columns = manifest["grid"].partition("x")
        if "min_scale" in manifest:
            options.setdefault("r", manifest["min_scale"])
        return cls((int(rows), int(columns or rows)), size or manifest["side"], **options)

    def tile(self, height, width, index):
        """(top, left, height, width) of tile `index` (row by row). Where a side does not divide evenly,
        the first rows and columns are one pixel larger."""
        def span(side, parts, part):
            size, larger = divmod(side, parts)
            return part * size + min(part, larger), size + (part < larger)

        rows, columns = self.grid
        (top, h), (left, w) = span(height, rows, index // columns), span(width, columns, index % columns)
        return top, left, h, w

    def forward(self, image):
        _, height, width = F.get_dimensions(image)
        index = torch.randint(self.grid[0] * self.grid[1], (1,)).item()
        return self.crop(F.crop(image, *self.tile(height, width, index)))

    def extra_repr(self):
        return f"grid={self.grid}, size={self.size}, r={self.r}"
