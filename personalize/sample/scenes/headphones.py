"""Headphones: graphite over-ear, foam on-ear, a mint pair for children, walnut on a stand."""

import math

import bpy
import numpy as np

from . import geometry as geo
from . import materials as mat
from .catalogue import Backdrop, View, product


def _cup(
    side: int,
    x: float,
    z: float,
    parts: list[tuple[geo.Points, bpy.types.Material]],
    oval: tuple[float, float] = (1.15, 0.92),
) -> list[bpy.types.Object]:
    """Turned parts of an ear cup: their profile axis points outwards, 0 at the cup's middle."""
    made = []
    for profile, material in parts:
        part = geo.lathe("cup", profile, material, segments=96)
        part.rotation_euler = (0, side * math.pi / 2, 0)
        part.scale = (*oval, 1.0)
        part.location = (side * x, 0, z)
        made.append(part)
    return made


def _cushion(inner: float, outer: float, depth: float) -> np.ndarray:
    """The profile of a padded ring on the inner side of a cup."""
    angle = np.linspace(0, 2 * np.pi, 40)
    middle, half = (inner + outer) / 2, (outer - inner) / 2
    ring = np.sign(np.cos(angle)) * np.abs(np.cos(angle)) ** 0.7
    return np.column_stack([middle + half * ring, -depth / 2 + depth / 2 * np.sin(angle)])


def _band(
    material: bpy.types.Material,
    half_width: float,
    top: float,
    foot: float,
    radius: float,
    flatten: float,
    reach: float = 1.0,
) -> np.ndarray:
    """An arch in the x-z plane from ear to ear; `reach` below 1 leaves the sides to other parts."""
    angle = np.linspace(np.pi / 2 * (1 - reach), np.pi / 2 * (1 + reach), 80)
    rise = top - foot
    path = np.column_stack([half_width * np.cos(angle), 0 * angle, foot + rise * np.sin(angle) ** 0.9])
    geo.sweep("band", path, radius, material, flatten=flatten, up=(0, 1, 0), sides=40)
    return path


@product(
    "headphones-graphite",
    "Wireless over-ear headphones, graphite",
    "headphones",
    Backdrop("#d9b48f", "#e8d2ba", "arch", accent="#f0dfca"),
    View(turn=-36, elevation=12, fill=0.7),
)
def graphite() -> None:
    shell, soft = mat.plain("#484d56", 0.34), mat.leather("#26272a", "#1a1b1d", 0.5)
    bronze = mat.metal("#c98d5a", 0.22)
    for side in (-1, 1):
        outer = geo.fillet([(0.5, -0.04), (0.5, 0.1), (0.38, 0.22), (0, 0.24)], [0.05, 0.16])
        disc = geo.fillet([(0.27, 0.21), (0.27, 0.245), (0, 0.25)], 0.015)
        ring = [(0.272, 0.215), (0.3, 0.235), (0.285, 0.25), (0.27, 0.24)]
        mesh = [(0.3, -0.06), (0, -0.06)]
        _cup(
            side,
            0.66,
            0.6,
            [
                (outer, shell),
                (disc, mat.plain("#3a3e45", 0.25)),
                (ring, bronze),
                (_cushion(0.24, 0.5, 0.26), soft),
                (mesh, mat.fabric("#17181a")),
            ],
        )
        yoke = geo.smooth_curve([(side * 0.76, 0, 0.98), (side * 0.78, 0, 1.2), (side * 0.75, 0, 1.42)], 24)
        geo.sweep("slider", yoke, 0.075, bronze, flatten=0.35, up=(0, 1, 0))
    _band(shell, 0.78, 2.1, 1.3, 0.12, 0.5)
    _band(soft, 0.71, 2.02, 1.34, 0.115, 0.55, reach=0.72)


@product(
    "headphones-retro-foam",
    "On-ear headphones, orange foam",
    "headphones",
    Backdrop("#8f9fcf", "#c0c9e6", "sweep", "window"),
    View(turn=-34, elevation=14, fill=0.7),
)
def retro_foam() -> None:
    foam = mat.Shader("foam", "#f2701d", Roughness=0.95, Sheen_Weight=0.3)
    foam.bump(foam.noise(34, detail=5), 0.8, 0.03)
    steel, black = mat.metal("#9ea3aa", 0.3), mat.plain("#1b1c1e", 0.35)
    for side in (-1, 1):
        pad = geo.smooth_curve([(0, -0.2), (0.26, -0.18), (0.4, -0.06), (0.4, 0.04), (0.34, 0.07)], 40)
        disc = geo.fillet([(0.36, 0.04), (0.36, 0.1), (0.24, 0.15), (0, 0.16)], [0.02, 0.04])
        ring = geo.fillet([(0.2, 0.145), (0.2, 0.17), (0, 0.172)], 0.01)
        parts = _cup(side, 0.66, 0.42, [(pad, foam.material), (disc, black), (ring, steel)], (1.0, 1.0))
        for part in parts:
            part.rotation_euler.y += side * 0.1
        geo.sweep(
            "arm", [(side * 0.76, 0, 0.42), (side * 0.79, 0, 0.98)], 0.034, black, up=(0, 1, 0), flatten=0.7
        )
        geo.box("slider", (0.09, 0.14, 0.24), black, location=(side * 0.79, 0, 1.0), edge=0.03)
    _band(steel, 0.79, 1.86, 0.98, 0.1, 0.14)
    cable = [
        (-0.74, 0, 0.06),
        (-0.85, -0.2, 0.02),
        (-0.5, -0.66, 0.02),
        (0.2, -0.62, 0.02),
        (0.74, -0.9, 0.02),
        (1.9, -0.6, 0.02),
    ]
    geo.mark_as_prop(geo.sweep("cable", geo.smooth_curve(cable, 90), 0.018, black))


@product(
    "headphones-kids-mint",
    "Children's headphones, mint and coral",
    "headphones",
    Backdrop("#f0c65a", "#f6dd98", "plinth", accent="#fff3d6"),
    View(turn=-32, elevation=14, fill=0.68),
)
def kids_mint() -> None:
    mint, coral = mat.plain("#6fd0b4", 0.3, Coat_Weight=0.3), mat.plain("#f4715f", 0.45)
    white = mat.plain("#fbf6ec", 0.3)
    for side in (-1, 1):
        outer = geo.fillet([(0.5, -0.06), (0.52, 0.1), (0.34, 0.28), (0, 0.28)], [0.08, 0.16])
        cap = geo.smooth_curve([(0.3, 0.25), (0.29, 0.29), (0.2, 0.332), (0, 0.34)], 24)
        _cup(
            side,
            0.68,
            0.54,
            [
                (outer, mint),
                (cap, white),
                (_cushion(0.2, 0.5, 0.3), coral),
                ([(0.3, -0.08), (0, -0.08)], white),
            ],
            (1.04, 1.0),
        )
        star = _star(0.15, 0.066)
        badge = geo.cut_out("star", star, 0.03, coral, edge=0.008)
        badge.rotation_euler = (0, 0, side * math.pi / 2)
        badge.location = (side * 1.026, 0, 0.54)
        geo.sweep(
            "arm", [(side * 0.8, 0, 0.96), (side * 0.79, 0, 1.24)], 0.1, white, flatten=0.5, up=(0, 1, 0)
        )
    _band(mint, 0.8, 1.96, 1.16, 0.15, 0.6)
    _band(coral, 0.72, 1.86, 1.2, 0.12, 0.5, reach=0.62)


def _star(outer: float, inner: float) -> np.ndarray:
    angle = np.pi / 2 + np.arange(10) * np.pi / 5
    radius = np.where(np.arange(10) % 2 == 0, outer, inner)
    return np.column_stack([radius * np.cos(angle), radius * np.sin(angle)])


@product(
    "headphones-walnut-studio",
    "Studio headphones, walnut and saddle leather, with stand",
    "headphones",
    Backdrop("#7d8f86", "#a87748", "table", accent="#66786f"),
    View(turn=-32, elevation=10, fill=0.76, f_stop=0.5),
)
def walnut_studio() -> None:
    walnut = mat.wood("#8b5732", "#4a2814", along="x", scale=1.6)
    hide, steel = mat.leather("#a9622f", "#7d431b"), mat.metal("#d3d5d7", 0.2)
    lift = 0.5
    for side in (-1, 1):
        outer = geo.fillet([(0.44, -0.03), (0.46, 0.12), (0.36, 0.26), (0, 0.27)], [0.05, 0.08])
        ring = [(0.45, -0.05), (0.475, -0.04), (0.475, 0.0), (0.45, 0.01)]
        grill = [(0.25, 0.272), (0.24, 0.285), (0, 0.29)]
        parts = [
            (outer, walnut),
            (ring, steel),
            (grill, mat.plain("#1b1a19", 0.5)),
            (_cushion(0.2, 0.48, 0.26), hide),
        ]
        _cup(side, 0.6, lift + 0.62, parts, (1.1, 0.95))
        fork = [
            (0, -0.47, 0.62),
            (0.05, -0.46, 0.86),
            (0.08, -0.3, 1.12),
            (0.09, 0, 1.2),
            (0.08, 0.3, 1.12),
            (0.05, 0.46, 0.86),
            (0, 0.47, 0.62),
        ]
        path = geo.smooth_curve([(side * (0.66 + x), y, lift + z) for x, y, z in fork], 60)
        geo.sweep("yoke", path, 0.026, steel, up=(1, 0, 0))
        geo.sweep("slider", [(side * 0.75, 0, lift + 1.18), (side * 0.72, 0, lift + 1.44)], 0.03, steel)
    _band(steel, 0.74, lift + 1.98, lift + 1.36, 0.06, 0.3)
    _band(hide, 0.68, lift + 1.88, lift + 1.34, 0.13, 0.3, reach=0.9)
    _stand(walnut, steel, lift + 1.76)


def _stand(walnut: bpy.types.Material, steel: bpy.types.Material, height: float) -> None:
    geo.lathe("foot", geo.fillet([(0, 0), (0.5, 0), (0.5, 0.09), (0, 0.1)], 0.03), walnut)
    geo.sweep("post", [(0, 0, 0.08), (0, 0, height)], 0.04, steel)
    rest = geo.smooth_curve([(-0.24, 0, height - 0.03), (0, 0, height + 0.03), (0.24, 0, height - 0.03)], 24)
    geo.sweep("rest", rest, 0.08, walnut, up=(0, 1, 0), flatten=0.7)
