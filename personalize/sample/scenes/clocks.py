"""Clocks: oak wall clock, twin-bell alarm, walnut arch, flip clock."""

import math

import bpy
import numpy as np

from . import geometry as geo
from . import materials as mat
from .catalogue import Backdrop, View, product


def _facing(obj: bpy.types.Object, centre: tuple[float, float, float]) -> bpy.types.Object:
    """Turn a lathed object so that its axis points at the camera."""
    obj.rotation_euler, obj.location = (math.pi / 2, 0, 0), centre
    return obj


def _hand(
    centre: tuple[float, float, float], turn: float, length: float, width: float, material: bpy.types.Material
) -> None:
    """A clock hand; `turn` is the share of a full turn from twelve."""
    tail = -0.18 * length
    outline = [(-width, tail), (width, tail), (0.55 * width, length), (-0.55 * width, length)]
    hand = geo.cut_out("hand", outline, 0.012, material, edge=0.003)
    hand.location, hand.rotation_euler = centre, (0, turn * 2 * math.pi, 0)


def _hands(
    x: float,
    y: float,
    z: float,
    size: float,
    hours: bpy.types.Material,
    seconds: bpy.types.Material,
    width: float = 0.022,
) -> None:
    """Ten past ten, as every shop sets it."""
    _hand((x, y, z), (10 + 10 / 60) / 12, 0.52 * size, width, hours)
    _hand((x, y - 0.014, z), 10 / 60, 0.78 * size, 0.75 * width, hours)
    _hand((x, y - 0.028, z), 35 / 60, 0.82 * size, 0.24 * width, seconds)
    _facing(
        geo.lathe("pin", geo.fillet([(0.045 * size, 0), (0.045 * size, 0.03), (0, 0.034)], 0.01), seconds),
        (x, y - 0.02, z),
    )


def _ticks(
    x: float, y: float, z: float, radius: float, material: bpy.types.Material, *, minutes: bool
) -> None:
    for i in range(60 if minutes else 12):
        hour = i % 5 == 0 or not minutes
        angle = i * math.pi / (30 if minutes else 6)
        reach = radius * (0.13 if hour else 0.05)
        place = (x + (radius - reach / 2) * math.sin(angle), y, z + (radius - reach / 2) * math.cos(angle))
        size = (radius * (0.03 if hour else 0.012), 0.006, reach)
        geo.box("tick", size, material, location=place, rotation=(0, angle, 0), edge=0.001)


def _numerals(y: float, z: float, radius: float, size: float, ink: bpy.types.Material) -> None:
    for hour in range(1, 13):
        angle = hour * math.pi / 6
        place = (radius * math.sin(angle), y, z + radius * math.cos(angle))
        geo.lettering(str(hour), size, ink, location=place, rotation=(math.pi / 2, 0, 0))


@product(
    "clock-wall-oak",
    "Wall clock, oak rim and ivory face",
    "clock",
    Backdrop("#4f8078", "#5f9088", "wall", "leaves"),
    View(elevation=3, fill=0.66),
)
def wall_oak() -> None:
    oak = mat.wood("#d8a566", "#a9733c", along="x")
    ink = mat.plain("#22282b", 0.5)
    rim = geo.fillet([(1.0, 0), (1.0, 0.2), (0.9, 0.2), (0.88, 0.09)], [0.04, 0.04])
    _facing(geo.lathe("rim", rim, oak, segments=192), (0, 0, 1))
    _facing(geo.lathe("face", [(0.9, 0.1), (0, 0.1)], mat.plain("#fbf5e6", 0.55)), (0, 0, 1))
    _numerals(-0.103, 1, 0.63, 0.16, ink)
    _ticks(0, -0.103, 1, 0.86, ink, minutes=True)
    _hands(0, -0.13, 1, 0.82, ink, mat.plain("#d9541e", 0.4), width=0.03)


@product(
    "clock-twin-bell-red",
    "Twin-bell alarm clock, cherry red",
    "clock",
    Backdrop("#9cc9c0", "#cfe3dc", "plinth", accent="#f4efe2"),
    View(turn=-24, elevation=9, fill=0.7),
)
def twin_bell() -> None:
    red, chrome = mat.plain("#c8171f", 0.16, Coat_Weight=0.6), mat.metal("#e4e6e8", 0.1)
    ink = mat.plain("#1c1d20", 0.5)
    centre = (0, 0, 0.98)
    case = geo.fillet([(0, -0.32), (0.76, -0.32), (0.8, 0.0), (0.8, 0.3), (0.74, 0.34)], [0.1, 0.1, 0.05])
    _facing(geo.lathe("case", case, red, segments=160), centre)
    _facing(
        geo.lathe("bezel", [(0.72, 0.27), (0.77, 0.3), (0.77, 0.36), (0.73, 0.37), (0.71, 0.27)], chrome),
        centre,
    )
    _facing(geo.lathe("face", [(0.74, 0.28), (0, 0.28)], mat.plain("#fdf8ea", 0.5)), centre)
    _numerals(-0.283, 0.98, 0.5, 0.145, ink)
    _ticks(0, -0.283, 0.98, 0.7, ink, minutes=True)
    _hands(0, -0.3, 0.98, 0.62, ink, red, width=0.028)
    for side in (-1, 1):
        tilt = side * 0.62
        bell = geo.lathe(
            "bell",
            geo.smooth_curve([(0.36, 0), (0.34, 0.1), (0.22, 0.24), (0, 0.28)], 30),
            red,
            thickness=0.02,
        )
        bell.rotation_euler, bell.location = (0, tilt, 0), (0.56 * math.sin(tilt) + side * 0.2, 0, 1.72)
        axis = np.array([math.sin(tilt), 0, math.cos(tilt)])
        root = np.array([side * 0.44, 0, 1.62])
        geo.sweep("stud", [root, np.array(bell.location) + 0.33 * axis], 0.03, chrome)
        foot = [(side * 0.48, 0, 0.4), (side * 0.66, 0, 0.06)]
        geo.sweep("foot", foot, [0.04, 0.055], chrome)
    geo.sweep("hammer", [(0, 0, 1.72), (0, 0, 2.02)], 0.022, chrome)
    geo.soft_box(
        "hammerhead", (0.3, 0.11, 0.11), chrome, location=(0, 0, 2.02), squareness=(0.9, 0.4), resolution=24
    )
    bow = geo.smooth_curve([(-0.5, 0, 2.0), (-0.4, 0, 2.24), (0, 0, 2.36), (0.4, 0, 2.24), (0.5, 0, 2.0)], 48)
    geo.sweep("carry", bow, 0.028, chrome, up=(0, 1, 0))


@product(
    "clock-arch-walnut",
    "Mantel clock, walnut arch with brass hands",
    "clock",
    Backdrop("#c99a94", "#9d6f4a", "table", "window", accent="#b98780"),
    View(turn=-22, elevation=9, fill=0.66, f_stop=0.5),
)
def arch_walnut() -> None:
    brass = mat.metal("#e0b056", 0.2)
    angle = np.linspace(0, np.pi, 64)
    outline = [
        (0.82, 0.0),
        *zip(0.82 * np.cos(angle), 0.98 + 0.82 * np.sin(angle), strict=True),
        (-0.82, 0.0),
    ]
    geo.cut_out("arch", outline, 0.5, mat.wood("#93603a", "#4e2c17", along="x", scale=1.3), edge=0.04)
    face = mat.plain("#f6efdf", 0.6)
    ring = geo.fillet([(0.58, 0.0), (0.63, 0.0), (0.63, 0.035), (0.58, 0.035)], 0.01)
    _facing(geo.lathe("ring", ring, brass, segments=160), (0, -0.25, 0.98))
    _facing(geo.lathe("face", [(0.59, 0.012), (0, 0.012)], face), (0, -0.25, 0.98))
    _ticks(0, -0.265, 0.98, 0.54, brass, minutes=False)
    _hands(0, -0.285, 0.98, 0.54, brass, brass, width=0.02)


@product(
    "clock-flip-tangerine",
    "Flip clock, tangerine",
    "clock",
    Backdrop("#8d86b8", "#b9b4d8", "sweep"),
    View(turn=-26, elevation=11, fill=0.74),
)
def flip_tangerine() -> None:
    shell = mat.plain("#f08a1d", 0.28, Coat_Weight=0.35)
    black, flap = mat.plain("#101113", 0.3), mat.plain("#1c1d20", 0.5)
    white, chrome = mat.plain("#fbf7ee", 0.5), mat.metal("#dcdee0", 0.14)
    geo.soft_box(
        "shell", (2.3, 1.0, 1.24), shell, location=(0, 0, 0.74), squareness=(0.3, 0.26), resolution=128
    )
    geo.box("window", (1.78, 0.1, 0.82), black, location=(0, -0.475, 0.76), edge=0.06)
    for x, digits in ((-0.43, "10"), (0.43, "09")):
        for dz in (-0.17, 0.17):
            geo.box("flap", (0.78, 0.04, 0.325), flap, location=(x, -0.52, 0.76 + dz), edge=0.03)
        geo.lettering(digits, 0.72, white, location=(x, -0.5425, 0.755), rotation=(math.pi / 2, 0, 0))
        geo.box("seam", (0.8, 0.02, 0.018), black, location=(x, -0.5395, 0.76), edge=0.002)
        for side in (-1, 1):
            geo.box("hinge", (0.035, 0.06, 0.11), chrome, location=(x + side * 0.395, -0.52, 0.76), edge=0.01)
    for x in (-0.75, 0.75):
        geo.lathe("foot", geo.fillet([(0, 0), (0.16, 0), (0.2, 0.16), (0, 0.16)], 0.03), black).location = (
            x,
            0,
            0,
        )
    knob = geo.lathe("knob", geo.fillet([(0.14, 0), (0.14, 0.12), (0, 0.13)], 0.02), chrome)
    knob.rotation_euler, knob.location = (0, math.pi / 2, 0), (1.13, 0, 0.74)
