"""Teapots: celadon, cast iron, glass over a flower of tea, a copper kettle."""

import bpy
import numpy as np

from . import geometry as geo
from . import materials as mat
from .catalogue import Backdrop, View, product


def _spout(
    material: bpy.types.Material, points: geo.Points, radii: tuple[float, ...], flatten: float = 1.0
) -> None:
    """A hollow-looking spout in the x-z plane, cut square at its mouth."""
    path = geo.smooth_curve([(x, 0, z) for x, z in points], 48)
    geo.sweep("spout", path, radii, material, flatten=flatten, up=(1, 0, 0), sides=40, round_ends=False)
    forward = path[-1] - path[-2]
    rim = path[-1] + 0.004 * forward / np.linalg.norm(forward)
    hollow = [rim - 0.2 * forward, rim]
    dark = mat.plain("#181412")
    geo.sweep("mouth", hollow, 0.72 * radii[-1], dark, flatten=flatten, up=(1, 0, 0), round_ends=False)


def _bow(
    material: bpy.types.Material, points: geo.Points, radius: float, flatten: float = 1.3
) -> bpy.types.Object:
    path = geo.smooth_curve([(x, 0, z) for x, z in points], 64)
    return geo.sweep("handle", path, radius, material, flatten=flatten, up=(1, 0, 0), round_ends=True)


@product(
    "teapot-celadon",
    "Porcelain teapot, celadon",
    "teapot",
    Backdrop("#d99aa0", "#ecc3c2", "plinth", accent="#f5ece4"),
    View(turn=20, elevation=14, fill=0.76),
)
def celadon() -> None:
    green = mat.glaze("#7fbfa0", mottle="#5fa588", roughness=0.12)
    gold = mat.metal("#d9a441", 0.2)
    keys = [(0.46, 0.05), (0.74, 0.28), (0.86, 0.68), (0.72, 1.1), (0.42, 1.3), (0.4, 1.34)]
    geo.lathe("body", np.vstack([[(0, 0.05)], geo.smooth_curve(keys, 80)]), green)
    geo.lathe("foot", geo.fillet([(0, 0), (0.44, 0), (0.5, 0.1)], 0.03), green)
    lid = geo.smooth_curve([(0.43, 1.32), (0.43, 1.36), (0.3, 1.45), (0.1, 1.5), (0.06, 1.54)], 40)
    geo.lathe("lid", np.vstack([lid, [(0, 1.54)]]), green)
    geo.soft_box("knob", (0.2, 0.2, 0.19), gold, location=(0, 0, 1.6), squareness=(1, 1), resolution=32)
    geo.lathe("gilding", [(0.425, 1.325), (0.438, 1.335), (0.438, 1.35), (0.425, 1.36)], gold)
    _spout(green, [(0.7, 0.5), (0.98, 0.62), (1.12, 0.94), (1.34, 1.24)], (0.19, 0.13, 0.09, 0.075))
    _bow(green, [(-0.7, 1.08), (-1.0, 1.22), (-1.26, 1.02), (-1.2, 0.62), (-0.78, 0.42)], 0.07)


@product(
    "teapot-cast-iron",
    "Cast-iron tetsubin with hobnails",
    "teapot",
    Backdrop("#a8b7a1", "#9c6f48", "table", accent="#8fa189"),
    View(turn=-24, elevation=14, fill=0.76, f_stop=0.45),
)
def cast_iron() -> None:
    iron = mat.Shader("cast iron", "#23272b", Metallic=0.55, Roughness=0.5)
    iron.bump(iron.noise(30, detail=6), 0.5, 0.02)
    bronze = mat.metal("#9c6a34", 0.34)
    keys = [(0.6, 0.04), (0.84, 0.22), (0.94, 0.56), (0.84, 0.9), (0.5, 1.1), (0.4, 1.13)]
    curve = geo.smooth_curve(keys, 80)
    geo.lathe("body", np.vstack([[(0, 0.04)], curve]), iron.material)
    _hobnails(curve, iron.material)
    for k in range(3):
        angle = k * 2.0944 + 0.5
        geo.soft_box(
            "foot",
            (0.2, 0.2, 0.14),
            iron.material,
            location=(0.55 * np.cos(angle), 0.55 * np.sin(angle), 0.06),
            squareness=(0.8, 0.8),
            resolution=16,
        )
    geo.lathe(
        "lid", geo.smooth_curve([(0.42, 1.12), (0.42, 1.16), (0.25, 1.2), (0, 1.22)], 30), iron.material
    )
    geo.soft_box("knob", (0.17, 0.17, 0.2), bronze, location=(0, 0, 1.31), squareness=(0.9, 1), resolution=24)
    _spout(iron.material, [(0.8, 0.66), (1.02, 0.78), (1.14, 0.94), (1.26, 1.08)], (0.17, 0.12, 0.095, 0.09))
    arch = [(-0.72, 1.0), (-0.86, 1.34), (-0.7, 1.72), (0, 1.94), (0.7, 1.72), (0.86, 1.34), (0.72, 1.0)]
    _bow(iron.material, arch, 0.05, 1.0)
    grip = geo.smooth_curve([(x, 0, z) for x, z in arch], 120)[44:76]
    geo.sweep("grip", grip, [0.07, 0.08, 0.07], mat.wood("#7a4a2a", "#3d2213", along="x"), up=(1, 0, 0))


def _hobnails(curve: np.ndarray, material: bpy.types.Material) -> None:
    """Rows of small studs, staggered, on the band below the shoulder."""
    for row, z in enumerate(np.linspace(0.36, 0.92, 7)):
        radius = float(np.interp(z, curve[:, 1], curve[:, 0]))
        count = round(2 * np.pi * radius / 0.125)
        for k in range(count):
            angle = 2 * np.pi * (k + 0.5 * (row % 2)) / count
            place = (radius * np.cos(angle), radius * np.sin(angle), z)
            geo.soft_box(
                "stud", (0.075, 0.075, 0.075), material, location=place, squareness=(1, 1), resolution=8
            )


@product(
    "teapot-glass-bamboo",
    "Glass teapot with bamboo lid",
    "teapot",
    Backdrop("#8fb8c9", "#c3dae2", "arch", accent="#dcebf0"),
    View(turn=18, elevation=11, fill=0.78),
)
def glass_bamboo() -> None:
    clear, tea = mat.glass("#f9fdff"), mat.glass("#e06f12", ior=1.33)
    bamboo = mat.wood("#e2b878", "#b98342", along="x", scale=1.4)
    outer = geo.smooth_curve(
        [(0.58, 0.02), (0.78, 0.16), (0.88, 0.6), (0.72, 1.05), (0.46, 1.26), (0.44, 1.36)], 80
    )
    inner = np.column_stack([outer[:, 0] - 0.04, outer[:, 1] + 0.05 * np.exp(-5 * outer[:, 1])])
    geo.lathe("glass", np.vstack([[(0, 0.02)], outer, inner[::-1], [(0, 0.08)]]), clear)
    filled = inner[inner[:, 1] < 0.86] - [0.006, 0]
    geo.lathe("tea", np.vstack([[(0, 0.095)], filled, [(0, 0.86)]]), tea)
    geo.lathe(
        "lid",
        geo.fillet([(0, 1.33), (0.4, 1.33), (0.4, 1.38), (0.5, 1.38), (0.5, 1.46), (0, 1.46)], 0.02),
        bamboo,
    )
    geo.lathe(
        "knob", geo.fillet([(0.07, 1.46), (0.06, 1.53), (0.13, 1.56), (0.13, 1.63), (0, 1.63)], 0.03), bamboo
    )
    geo.lathe(
        "band", [(0.452, 1.26), (0.462, 1.27), (0.462, 1.33), (0.452, 1.34)], mat.metal("#d8dadc", 0.18)
    )
    spout = geo.smooth_curve([(0.76, 0, 0.5), (1.0, 0, 0.68), (1.12, 0, 0.98), (1.3, 0, 1.2)], 48)
    geo.sweep("spout", spout, [0.15, 0.1, 0.07, 0.055], clear, up=(1, 0, 0), round_ends=False)
    _bow(clear, [(-0.72, 1.06), (-0.98, 1.2), (-1.22, 1.02), (-1.16, 0.6), (-0.84, 0.42)], 0.065, 1.0)


@product(
    "kettle-copper",
    "Stovetop kettle, hammered copper",
    "teapot",
    Backdrop("#6f8f9c", "#a9bfc6", shadow="leaves"),
    View(turn=-20, elevation=12, fill=0.76),
)
def copper_kettle() -> None:
    copper, bright = mat.hammered("#e0794a", 0.16), mat.metal("#e58a5a", 0.14)
    walnut = mat.wood("#8a5632", "#4a2a16", along="x")
    body = geo.fillet([(0, 0), (0.98, 0), (0.94, 0.22), (0.44, 1.16), (0.36, 1.18)], [0.1, 0.3, 0.06])
    geo.lathe("body", geo.resample(body, 0.05), copper)
    geo.lathe("lid", geo.smooth_curve([(0.39, 1.17), (0.39, 1.2), (0.2, 1.28), (0, 1.3)], 30), bright)
    geo.soft_box(
        "knob", (0.18, 0.18, 0.16), walnut, location=(0, 0, 1.38), squareness=(0.9, 1), resolution=24
    )
    _spout(bright, [(0.76, 0.42), (1.02, 0.5), (1.12, 0.82), (1.34, 1.06)], (0.2, 0.14, 0.09, 0.07))
    arch = [(-0.56, 0.9), (-0.68, 1.36), (-0.56, 1.66), (0, 1.78), (0.56, 1.66), (0.68, 1.36), (0.56, 0.9)]
    _bow(bright, arch, 0.035, 1.6)
    grip = geo.smooth_curve([(x, 0, z) for x, z in arch], 120)[40:80]
    geo.sweep("grip", grip, [0.08, 0.09, 0.08], walnut, up=(1, 0, 0))
