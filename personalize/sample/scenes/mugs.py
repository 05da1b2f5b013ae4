"""Mugs: speckled stoneware, enamel, a dipped cup on its saucer, a glass of tea."""

import bpy
import numpy as np

from . import geometry as geo
from . import materials as mat
from .catalogue import Backdrop, View, product


def _handle(
    material: bpy.types.Material, points: geo.Points, radius: float = 0.09, flatten: float = 1.35
) -> bpy.types.Object:
    """A handle in the x-z plane, through points of (x, z)."""
    path = geo.smooth_curve([(x, 0, z) for x, z in points], 48)
    return geo.sweep("handle", path, radius, material, flatten=flatten, up=(1, 0, 0), round_ends=False)


def _liquid(radius: float, z: float, material: bpy.types.Material) -> None:
    geo.lathe("liquid", [(0, z), (radius - 0.01, z), (radius, z + 0.012)], material)


@product(
    "mug-speckled-oat",
    "Stoneware mug, speckled oat",
    "mug",
    Backdrop("#c3ad94", "#ddcfbd", shadow="leaves"),
    View(turn=-28, elevation=17),
)
def speckled_oat() -> None:
    oat = mat.glaze("#e9dcc3", speckle="#6b4a34", density=0.75, roughness=0.3)
    clay = mat.matte_clay("#b98d68")
    body = geo.fillet([(0, 0.06), (0.66, 0.06), (0.78, 0.3), (0.78, 1.5)], [0.12, 0.2])
    geo.lathe("body", geo.resample(body, 0.03), oat, thickness=0.085)
    geo.lathe("foot", geo.fillet([(0, 0), (0.6, 0), (0.62, 0.09), (0, 0.09)], 0.02), clay)
    _handle(
        oat, [(0.74, 1.24), (1.0, 1.3), (1.22, 1.14), (1.24, 0.84), (1.08, 0.52), (0.74, 0.42)], 0.08, 1.6
    )


@product(
    "mug-enamel-navy",
    "Enamel camp mug, navy with white rim",
    "mug",
    Backdrop("#e0cf9f", "#c39461", "table", accent="#d8bf86"),
    View(turn=-32, elevation=15, f_stop=0.45),
)
def enamel_navy() -> None:
    navy = mat.glaze("#16305f", speckle="#e8ecf2", density=0.6, roughness=0.12)
    white = mat.plain("#f3f1ea", 0.12, Coat_Weight=0.6)
    steel = mat.metal("#c9ccd0", 0.2)
    geo.lathe("outside", geo.fillet([(0, 0), (0.8, 0), (0.8, 1.42), (0.84, 1.48)], [0.1, 0.05]), navy)
    geo.lathe(
        "inside", geo.fillet([(0, 0.05), (0.775, 0.05), (0.775, 1.42), (0.83, 1.49)], [0.1, 0.05]), white
    )
    ring = np.linspace(0, 2 * np.pi, 96, endpoint=False)
    lip = np.column_stack([0.84 * np.cos(ring), 0.84 * np.sin(ring), np.full(96, 1.485)])
    geo.sweep("lip", lip, 0.028, white, closed=True)
    strap = [(0.78, 1.26), (1.08, 1.3), (1.27, 1.12), (1.22, 0.76), (1.02, 0.5), (0.79, 0.36)]
    _handle(navy, strap, 0.05, flatten=2.6)
    for x, z in ((0.8, 1.27), (0.8, 0.37)):
        geo.soft_box(
            "rivet", (0.03, 0.26, 0.16), steel, location=(x, 0, z), squareness=(0.6, 0.6), resolution=16
        )


@product(
    "cup-dipped-teal",
    "Cappuccino cup and saucer, dipped teal",
    "mug",
    Backdrop("#e99b86", "#efb6a4", "plinth", accent="#f3e7dc"),
    View(turn=-24, elevation=24, fill=0.74),
)
def dipped_teal() -> None:
    teal = mat.dipped("#b7714d", "#12757a", 0.42, wave=0.1, pool="#0a4850")
    saucer = mat.glaze("#12757a", mottle="#0d5a62", roughness=0.18)
    coffee = mat.Shader("coffee", "#4a2512", Roughness=0.15)
    swirl = coffee.noise(2.6, detail=2, distortion=1.5)
    coffee.set(Base_Color=coffee.ramp(swirl, [(0.35, "#5a2c12"), (0.5, "#b77a42"), (0.62, "#f0dcc0")]))
    curve = geo.smooth_curve([(0.36, 0.1), (0.56, 0.2), (0.8, 0.55), (0.88, 0.98), (0.92, 1.12)], 40)
    geo.lathe("cup", np.vstack([[(0, 0.1)], curve]), teal, thickness=0.06)
    geo.lathe(
        "foot",
        geo.fillet([(0, 0.02), (0.36, 0.02), (0.38, 0.14), (0, 0.14)], 0.02),
        mat.matte_clay("#b7714d"),
    )
    plate = [(0, 0.0), (0.7, 0.0), (0.78, 0.04), (1.2, 0.13), (1.46, 0.22)]
    geo.lathe("saucer", geo.fillet(plate, [0.05, 0.1, 0.1]), saucer, thickness=0.05)
    _liquid(0.835, 0.98, coffee.material)
    _handle(teal, [(0.84, 0.96), (1.08, 1.04), (1.24, 0.88), (1.14, 0.62), (0.78, 0.46)], 0.06, flatten=1.3)


@product(
    "mug-glass-amber-tea",
    "Borosilicate glass mug, double wall",
    "mug",
    Backdrop("#7fb0d2", "#b9d5e6", shadow="window"),
    View(turn=-30, elevation=13),
)
def glass_tea() -> None:
    clear = mat.glass("#fbfdff")
    tea = mat.glass("#dc6a08", roughness=0.3, ior=1.33)
    outer = geo.smooth_curve([(0.5, 0.02), (0.62, 0.1), (0.72, 0.6), (0.72, 1.3), (0.7, 1.62)], 40)
    inner = geo.smooth_curve([(0.3, 0.26), (0.5, 0.36), (0.61, 0.75), (0.62, 1.3), (0.66, 1.6)], 40)
    geo.lathe("wall", np.vstack([[(0, 0.02)], outer, [(0.685, 1.64)], inner[::-1], [(0, 0.26)]]), clear)
    filled = inner[inner[:, 1] < 1.3] - [0.004, -0.004]
    geo.lathe("tea", np.vstack([[(0, 0.265)], filled, [(0, 1.295)]]), tea)
    _handle(clear, [(0.7, 1.32), (0.96, 1.4), (1.18, 1.2), (1.18, 0.82), (0.98, 0.56), (0.7, 0.5)], 0.07, 1.0)
