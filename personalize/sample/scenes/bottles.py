"""Bottles: insulated steel, amber apothecary with a pump, olive oil, a carafe with its cork ball."""

import bpy
import numpy as np

from . import geometry as geo
from . import materials as mat
from .catalogue import Backdrop, View, product


def _label(
    radius: float, low: float, high: float, half_angle: float, paper: bpy.types.Material
) -> bpy.types.Object:
    """A paper label wrapped around the front of a bottle."""
    angle = np.linspace(-half_angle, half_angle, 48) - np.pi / 2
    vertices = [(radius * np.cos(a), radius * np.sin(a), z) for z in (low, high) for a in angle]
    return geo.mesh_object("label", vertices, geo.grid_faces(2, 48, wrap=False), paper, sharp=1.2)


def _wrapped_text(text: str, size: float, radius: float, z: float, ink: bpy.types.Material) -> None:
    """Letters set one by one around the front of a bottle, the narrow and the wide given their own room."""
    advance = np.array([{"I": 0.46, " ": 0.6, "L": 0.64, "M": 0.9, "W": 0.98}.get(c, 0.76) for c in text])
    centres = (np.cumsum(advance) - advance / 2 - advance.sum() / 2) * size / radius
    for letter, angle in zip(text, centres.tolist(), strict=True):
        place = (radius * np.sin(angle), -radius * np.cos(angle), z)
        geo.lettering(letter, size, ink, location=place, rotation=(np.pi / 2, 0, angle))


def _rule(radius: float, z: float, half_angle: float, ink: bpy.types.Material, height: float = 0.012) -> None:
    _label(radius, z, z + height, half_angle, ink)


@product(
    "bottle-insulated-coral",
    "Insulated steel bottle, coral, 500 ml",
    "bottle",
    Backdrop("#8fc4cf", "#bfdde2", shadow="window"),
    View(turn=10, elevation=9, fill=0.8),
)
def insulated_coral() -> None:
    coral = mat.powder_coat("#f0523d")
    steel = mat.metal("#d6d8da", 0.24, brush=(2, 2, 40))
    body = [(0, 0.0), (0.46, 0.0), (0.46, 1.56), (0.3, 1.84), (0.3, 1.94)]
    geo.lathe("body", geo.fillet(body, [0.06, 0.3, 0.12]), coral)
    geo.lathe("base", geo.fillet([(0, -0.0), (0.465, 0.0), (0.465, 0.09), (0.44, 0.09)], 0.03), steel)
    geo.lathe("neck", [(0.27, 1.9), (0.285, 1.94), (0.285, 2.0), (0.27, 2.02)], steel)
    cap = geo.fillet([(0.27, 2.0), (0.325, 2.0), (0.325, 2.26), (0, 2.26)], [0.02, 0.04])
    geo.lathe("cap", geo.resample(cap, 0.02), mat.plain("#22262a", 0.5), ripple=_knurl, segments=240)
    geo.lathe("disc", geo.fillet([(0, 2.275), (0.24, 2.275), (0.25, 2.25)], 0.01), steel)
    loop = geo.smooth_curve(
        [(-0.3, 0, 2.16), (-0.27, 0, 2.46), (0, 0, 2.58), (0.27, 0, 2.46), (0.3, 0, 2.16)], 40
    )
    geo.sweep("loop", loop, 0.035, mat.plain("#22262a", 0.5), flatten=2.2, up=(1, 0, 0))
    _wrapped_text("NORD", 0.15, 0.4615, 0.8, mat.plain("#fff4ee", 0.5))


def _knurl(angle: np.ndarray, z: np.ndarray) -> np.ndarray:
    grip = np.clip((z - 2.04) / 0.02, 0, 1) * np.clip((2.22 - z) / 0.02, 0, 1)
    return 1 + 0.018 * np.cos(angle * 48) * grip


@product(
    "bottle-amber-pump",
    "Hand wash in amber glass, cedar and sage",
    "bottle",
    Backdrop("#b9c4a2", "#d5dac2", "plinth", "leaves", accent="#efe9da"),
    View(turn=12, elevation=10, fill=0.76),
)
def amber_pump() -> None:
    amber = mat.Shader(
        "amber", "#a34a08", Roughness=0.03, Transmission_Weight=0.85, IOR=1.48, Coat_Weight=0.4
    )
    black = mat.plain("#141414", 0.32)
    body = [(0, 0), (0.52, 0), (0.52, 1.2), (0.2, 1.48), (0.2, 1.6)]
    geo.lathe("body", geo.fillet(body, [0.09, 0.24, 0.06]), amber.material)
    geo.lathe("collar", geo.fillet([(0.18, 1.52), (0.255, 1.52), (0.255, 1.76), (0.1, 1.78)], 0.02), black)
    geo.lathe("stem", [(0.075, 1.7), (0.075, 2.02)], black)
    geo.lathe("head", geo.fillet([(0, 2.0), (0.15, 2.0), (0.15, 2.13), (0, 2.15)], 0.03), black)
    spout = geo.smooth_curve([(0, 0, 2.08), (0.28, -0.1, 2.1), (0.5, -0.18, 2.06), (0.56, -0.2, 1.99)], 30)
    geo.sweep("spout", spout, [0.07, 0.055, 0.045], black, round_ends=False)
    paper = mat.Shader("paper", "#f4efe3", Roughness=0.8)
    paper.bump(paper.noise(60), 0.1, 0.01)
    ink = mat.plain("#2d2a26", 0.7)
    _label(0.523, 0.26, 1.06, 0.92, paper.material)
    _wrapped_text("CEDAR", 0.17, 0.524, 0.8, ink)
    _wrapped_text("AND SAGE", 0.078, 0.524, 0.64, ink)
    _rule(0.5245, 0.54, 0.4, mat.plain("#9a5a24", 0.7))
    _wrapped_text("HAND WASH", 0.062, 0.524, 0.43, ink)


@product(
    "bottle-olive-oil",
    "Extra virgin olive oil, first harvest",
    "bottle",
    Backdrop("#e8d2a0", "#a87a4c", "table", "window", accent="#d8b878"),
    View(turn=-10, elevation=9, fill=0.8, f_stop=0.5),
)
def olive_oil() -> None:
    green = mat.Shader(
        "green glass", "#1d4a1e", Roughness=0.03, Transmission_Weight=0.75, IOR=1.5, Coat_Weight=0.5
    )
    body = [
        (0, 0),
        (0.4, 0),
        (0.41, 1.16),
        (0.14, 1.58),
        (0.125, 2.14),
        (0.155, 2.15),
        (0.155, 2.24),
        (0.1, 2.25),
    ]
    geo.lathe("body", geo.fillet(body, [0.06, 0.34, 0.3, 0.01, 0.02, 0.02]), green.material)
    geo.lathe("cork", geo.fillet([(0, 2.2), (0.1, 2.2), (0.115, 2.4), (0, 2.41)], [0.01, 0.03]), mat.cork())
    paper = mat.Shader("paper", "#fbf7ea", Roughness=0.75)
    ink, gold = mat.plain("#27401f", 0.6), mat.metal("#c89b3c", 0.32)
    _label(0.412, 0.2, 1.0, 1.15, paper.material)
    _rule(0.4135, 0.92, 1.15, gold, 0.025)
    _rule(0.4135, 0.255, 1.15, gold, 0.025)
    _wrapped_text("OLIVAR", 0.15, 0.4135, 0.44, ink)
    _wrapped_text("PRIMERA COSECHA", 0.05, 0.4135, 0.33, ink)
    for step in range(4):
        for side in (-1, 1):
            _leaf_print(side, 0.6 + 0.12 * step, 0.62 + 0.055 * step, ink)
    geo.lathe("seal", geo.fillet([(0.13, 2.02), (0.14, 2.02), (0.14, 1.82), (0.13, 1.82)], 0.005), gold)


def _leaf_print(side: int, lean: float, z: float, ink: bpy.types.Material) -> None:
    t = np.linspace(0, 1, 16)
    half = 0.022 * np.sin(np.pi * t)
    along = np.array([side * np.cos(lean), np.sin(lean)])
    spine = np.outer(t * 0.15 + 0.008, along)
    across = np.array([-along[1], along[0]])
    outline = np.vstack([spine + half[:, None] * across, (spine - half[:, None] * across)[::-1][1:-1]])
    x, z = outline[:, 0] / 0.4135, outline[:, 1] + z
    vertices = np.column_stack([0.416 * np.sin(x), -0.416 * np.cos(x), z])
    geo.mesh_object("leaf", vertices, [list(range(len(vertices)))], ink)


@product(
    "bottle-carafe-cork",
    "Water carafe with cork ball, ribbed glass",
    "bottle",
    Backdrop("#c7b5dd", "#dcd0ea", "arch", accent="#f0e4f4"),
    View(turn=0, elevation=9, fill=0.77),
)
def carafe() -> None:
    clear, water = mat.glass("#f7fcff"), mat.glass("#d3ecf5", ior=1.33)
    keys = [(0.5, 0.03), (0.66, 0.14), (0.7, 0.5), (0.5, 1.02), (0.25, 1.4), (0.22, 1.7), (0.32, 2.0)]
    outer = geo.smooth_curve(keys, 80)
    inner = np.column_stack([outer[:, 0] - 0.045, outer[:, 1] + 0.05 * np.exp(-4 * outer[:, 1])])
    shell = np.vstack([[(0, 0.03)], outer, inner[::-1], [(0, 0.1)]])
    geo.lathe("glass", shell, clear, ripple=_ribs, segments=240)
    filled = inner[inner[:, 1] < 1.0] - [0.006, 0]
    geo.lathe("water", np.vstack([[(0, 0.115)], filled, [(0, 1.0)]]), water, ripple=_ribs, segments=240)
    ball = geo.soft_box("ball", (0.62, 0.62, 0.62), mat.cork(), location=(0, 0, 2.18), squareness=(1, 1))
    ball.rotation_euler = (0.3, 0.2, 0)


def _ribs(angle: np.ndarray, z: np.ndarray) -> np.ndarray:
    fade = np.clip((z - 0.2) / 0.25, 0, 1) * np.clip((1.5 - z) / 0.3, 0, 1)
    return 1 + 0.02 * np.cos(angle * 28) * fade
