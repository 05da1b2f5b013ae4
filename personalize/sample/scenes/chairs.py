"""Chairs: a spindle-back, a moulded shell, a boucle tub chair, a steel cantilever in leather."""

import bpy
import numpy as np

from . import geometry as geo
from . import materials as mat
from .catalogue import Backdrop, View, product


def _turned_leg(material: bpy.types.Material, top: geo.Points, foot: geo.Points, radii: geo.Points) -> None:
    geo.sweep(
        "leg",
        np.linspace(np.asarray(top, float), np.asarray(foot, float), 24),
        radii,
        material,
        round_ends=False,
    )


@product(
    "chair-spindle-oak",
    "Spindle-back dining chair, oak",
    "chair",
    Backdrop("#9fb6c3", "#c7b199", "room", "window", accent="#eef0ee"),
    View(turn=-30, elevation=11, fill=0.76, lens_mm=70),
)
def spindle_oak() -> None:
    upright = mat.wood("#d9a566", "#a8713a", along="z")
    level = mat.wood("#d9a566", "#a8713a", along="x")
    geo.soft_box("seat", (1.02, 0.96, 0.12), level, location=(0, 0, 0.98), squareness=(0.5, 0.55))
    for x in (-1, 1):
        for y in (-1, 1):
            _turned_leg(
                upright, (0.34 * x, 0.3 * y, 0.95), (0.5 * x, 0.46 * y, 0), (0.036, 0.056, 0.048, 0.03)
            )
        low, high = np.array([0.43 * x, -0.4, 0.4]), np.array([0.43 * x, 0.4, 0.4])
        geo.sweep("stretcher", np.linspace(low, high, 12), (0.022, 0.034, 0.022), level)
    geo.sweep("stretcher", np.linspace((-0.43, 0, 0.4), (0.43, 0, 0.4), 12), (0.022, 0.034, 0.022), level)
    _spindle_back(upright, level)


def _spindle_back(upright: bpy.types.Material, level: bpy.types.Material) -> None:
    bow = geo.smooth_curve(
        [(-0.58, 0.46, 1.86), (-0.3, 0.6, 1.9), (0, 0.64, 1.91), (0.3, 0.6, 1.9), (0.58, 0.46, 1.86)], 60
    )
    geo.sweep("crest", bow, (0.075, 0.1, 0.1, 0.1, 0.075), level, flatten=0.36)
    for u in np.linspace(-1, 1, 7):
        root = np.array([0.38 * u, 0.4 - 0.12 * u**2, 1.0])
        tip = np.array([0.5 * u, 0.63 - 0.13 * u**2, 1.84])
        geo.sweep("spindle", np.linspace(root, tip, 16), (0.017, 0.026, 0.02, 0.015), upright)


@product(
    "chair-shell-mustard",
    "Moulded shell chair, mustard on beech legs",
    "chair",
    Backdrop("#a9c3cf", "#cddbe0", "sweep"),
    View(turn=-34, elevation=12, fill=0.76, lens_mm=70),
)
def shell_mustard() -> None:
    shell = mat.plain("#e3a512", 0.34, Coat_Weight=0.15)
    beech = mat.wood("#dcb27c", "#b17f49", along="z")
    black = mat.plain("#17181a", 0.35)
    _shell(shell)
    for x in (-1, 1):
        for y in (-1, 1):
            _turned_leg(
                beech, (0.26 * x, 0.22 * y, 0.86), (0.48 * x, 0.44 * y, 0), (0.03, 0.045, 0.036, 0.026)
            )
        geo.sweep("brace", [(0.33 * x, -0.3, 0.6), (0.26 * x, 0.2, 0.84)], 0.014, black)
        geo.sweep("brace", [(0.33 * x, 0.3, 0.6), (0.26 * x, -0.2, 0.84)], 0.014, black)
        geo.sweep("brace", [(0.33, 0.3 * x, 0.6), (-0.26, 0.22 * x, 0.84)], 0.014, black)
        geo.sweep("brace", [(-0.33, 0.3 * x, 0.6), (0.26, 0.22 * x, 0.84)], 0.014, black)
        geo.sweep("rail", [(0.26 * x, -0.24, 0.86), (0.26 * x, 0.24, 0.86)], 0.022, black)


def _shell(material: bpy.types.Material) -> None:
    """One moulded sheet: the seat's front edge rolls down, its sides rise into the back."""
    rows, columns = 160, 81
    side = [(-0.52, 0.86), (-0.46, 0.93), (-0.1, 0.9), (0.22, 0.9), (0.42, 1.06), (0.52, 1.42), (0.6, 1.86)]
    s = 0.5 - 0.5 * np.cos(np.linspace(0, np.pi, rows))[:, None]  # closer together where the outline turns
    spine = geo.smooth_curve(side, 500)[(s[:, 0] * 499).round().astype(int)]
    keys = [(0, 0.46), (0.12, 0.49), (0.35, 0.54), (0.55, 0.57), (0.75, 0.53), (0.9, 0.48), (1, 0.44)]
    top = (1 - np.clip((s - 0.72) / 0.28, 0, 1) ** 2.8) ** 0.46
    front = (1 - np.clip((0.13 - s) / 0.131, 0, 1) ** 3) ** 0.3
    width = np.maximum(_eased(s, keys) * top * front, 0.02)
    u = np.linspace(-1, 1, columns)[None, :]
    rise = _eased(s, [(0, 0.0), (0.12, 0.06), (0.42, 0.24), (0.62, 0.12), (1.0, 0.0)])
    wrap = _eased(s, [(0, 0.0), (0.3, 0.06), (0.52, 0.28), (0.75, 0.2), (1.0, 0.04)])
    curl = np.abs(u) ** 2.6
    xyz = np.stack(
        [width * np.sin(u * 1.35) / np.sin(1.35), spine[:, :1] - wrap * curl, spine[:, 1:] + rise * curl], -1
    )
    sheet = geo.mesh_object(
        "shell", xyz.reshape(-1, 3), geo.grid_faces(rows, columns, wrap=False), material, sharp=2.5
    )
    walls = sheet.modifiers.new("walls", "SOLIDIFY")
    walls.thickness, walls.offset = 0.034, 0.0
    moulded = sheet.modifiers.new("moulded", "REMESH")  # even faces, so that the edge can be rounded
    moulded.mode, moulded.voxel_size, moulded.use_smooth_shade = "VOXEL", 0.009, True
    sheet.modifiers.new("rounded", "SMOOTH").iterations = 8


def _eased(s: np.ndarray, keys: geo.Points) -> np.ndarray:
    """A smooth curve through (at, value) keys, read at s."""
    at, value = geo.smooth_curve(keys, 200).T
    return np.interp(s, at, value)


@product(
    "chair-tub-boucle",
    "Tub armchair, ivory boucle",
    "chair",
    Backdrop("#a86f58", "#c09a76", "room", "leaves", accent="#d9b8a4"),
    View(turn=-28, elevation=13, fill=0.72, lens_mm=70),
)
def tub_boucle() -> None:
    wool = mat.boucle("#fffaf0", "#e3d3ba")
    walnut = mat.wood("#6f4426", "#3b2112", along="z")
    angle = np.linspace(-0.12, np.pi + 0.12, 80)
    wall = np.column_stack(
        [0.86 * np.cos(angle), 0.66 * np.sin(angle), 0.98 + 0.22 * np.clip(np.sin(angle), 0, 1) ** 2]
    )
    front = [(0.85, y, 0.96) for y in (-0.62, -0.4, -0.2)]
    path = np.vstack([front, wall, [(-x, y, z) for x, y, z in front[::-1]]])
    geo.sweep("back", geo.smooth_curve(path, 160), 0.52, wool, flatten=0.42, sides=56)
    geo.soft_box("base", (1.62, 1.36, 0.42), wool, location=(0, -0.06, 0.5), squareness=(0.35, 0.5))
    geo.soft_box(
        "cushion", (1.3, 1.24, 0.36), wool, location=(0, -0.2, 0.84), squareness=(0.62, 0.42), resolution=96
    )
    roll = geo.soft_box(
        "pillow",
        (0.86, 0.3, 0.56),
        mat.fabric("#c9562f", shade="#8e351a"),
        location=(0.02, 0.24, 1.24),
        squareness=(0.75, 0.75),
    )
    roll.rotation_euler = (-0.28, 0.06, 0.05)
    for x in (-1, 1):
        for y in (-1, 1):
            _turned_leg(
                walnut, (0.56 * x, 0.42 * y - 0.05, 0.36), (0.62 * x, 0.48 * y - 0.05, 0), (0.06, 0.04)
            )


@product(
    "chair-cantilever-tan",
    "Cantilever chair, tan leather and chromed steel",
    "chair",
    Backdrop("#7f9a94", "#a9bdb6", "sweep", "window"),
    View(turn=-38, elevation=12, fill=0.74, lens_mm=70),
)
def cantilever_tan() -> None:
    chrome = mat.metal("#e8e9ea", 0.08)
    hide = mat.leather("#a4683c", "#7c4822", grain=120.0)
    side = [
        (0.48, 0.61, 1.93),
        (0.48, 0.44, 0.96),
        (0.48, -0.5, 1.0),
        (0.48, -0.44, 0.045),
        (0.48, 0.56, 0.045),
    ]
    across = [(-x, y, z) for x, y, z in side[::-1]]
    path = geo.fillet(np.array([*side, *across]), [0.2, 0.2, 0.2, 0.24, 0.24, 0.2, 0.2, 0.2], steps=16)
    geo.sweep("tube", path, 0.036, chrome, up=(1, 0, 0))
    seat = geo.soft_box("seat", (0.93, 1.0, 0.12), hide, location=(0, -0.02, 1.035), squareness=(0.5, 0.18))
    seat.rotation_euler = (-0.042, 0, 0)
    back = geo.soft_box("back", (0.9, 0.11, 0.62), hide, location=(0, 0.54, 1.62), squareness=(0.2, 0.5))
    back.rotation_euler = (-0.178, 0, 0)
    for x in (-0.485, 0.485):
        geo.sweep("strap", [(x, -0.42, 1.02), (x, 0.36, 0.985)], 0.05, hide)
        geo.sweep("strap", [(x, 0.494, 1.36), (x, 0.586, 1.87)], 0.05, hide)
