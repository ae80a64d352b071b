"""Colors, transparency and orientation of images in a folder."""

from __future__ import annotations

import numpy as np
import pytest
from pictures import encoded, everything, pixels, put
from PIL import Image

from gantk.errors import DataError
from gantk_data.images import Folder


@pytest.mark.parametrize(("color", "channels"), [("rgb", 3), ("gray", 1), ("rgba", 4)])
def test_every_kind_of_image_in_every_color(tmp_path, color, channels):
    grey = np.full((6, 5), 100, np.uint8)
    rgb = np.full((6, 5, 3), 100, np.uint8)
    palette = Image.fromarray(rgb).convert("P", palette=Image.Palette.ADAPTIVE)
    put(
        tmp_path,
        {
            "bits.png": encoded(Image.new("1", (5, 6), 1)),
            "cmyk.jpg": encoded(Image.fromarray(rgb).convert("CMYK"), "JPEG", quality=100),
            "grey.png": encoded(grey),
            "grey16.png": encoded(Image.fromarray(np.full((6, 5), 100 * 257, np.uint16))),
            "palette.gif": encoded(palette, "GIF"),
            "rgb.png": encoded(rgb),
            "rgb.webp": encoded(rgb, "WEBP", lossless=True),
            "rgb.tiff": encoded(rgb, "TIFF"),
            "rgba.png": encoded(np.dstack([rgb, np.full((6, 5), 255, np.uint8)])),
        },
    )
    source = Folder(path=tmp_path, color=color)
    assert source.image_shape == (channels, 6, 5)
    colors = everything(source)[:, : min(channels, 3)].reshape(9, -1)
    assert (colors[0] == 255).all()
    assert np.abs(colors[1:].astype(int) - 100).max() <= 2
    if channels == 4:
        assert (everything(source)[:, 3] == 255).all()


def test_transparency_lies_over_white(tmp_path):
    clear = np.zeros((2, 2, 4), np.uint8)
    put(tmp_path, {"a.png": encoded(clear)})
    assert (everything(Folder(path=tmp_path)) == 255).all()
    assert Folder(path=tmp_path, color="keep").image_shape == (4, 2, 2)


def test_keep_leaves_gray_as_it_is_and_refuses_a_mixture(tmp_path):
    put(tmp_path, {"a.png": encoded(pixels(0, channels=1))})
    source = Folder(path=tmp_path, color="keep")
    np.testing.assert_array_equal(everything(source)[0, 0], pixels(0, channels=1))
    put(tmp_path, {"b.png": encoded(pixels(1))})
    with pytest.raises(DataError, match=r"b\.png.*3 channels.*a\.png.*1 channels.*color="):
        Folder(path=tmp_path, color="keep")


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(tmp_path, kind, orientation):
    corner = np.zeros((16, 32, 3), np.uint8)
    corner[:8, :8] = 255  # where the stored image's first pixels are seen, by the EXIF standard:
    seen = {1: "tl", 2: "tr", 3: "br", 4: "bl", 5: "tl", 6: "tr", 7: "br", 8: "bl"}[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    put(tmp_path, {f"a.{kind.lower()}": encoded(corner, kind, exif=exif)})
    source = Folder(path=tmp_path)
    assert source.image_shape == ((3, 16, 32) if orientation < 5 else (3, 32, 16))
    image = everything(source)[0, 0]
    found = image[1 if seen[0] == "t" else -2, 1 if seen[1] == "l" else -2]
    assert found > 200
    assert image.mean() == pytest.approx(255 / 8, abs=4)
