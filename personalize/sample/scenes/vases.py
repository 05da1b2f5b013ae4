"""Vases: fluted coral, a ring with dried grass, cobalt glass with tulips, a reactive-glaze amphora."""

import bpy
import numpy as np

from . import geometry as geo
from . import materials as mat
from .catalogue import Backdrop, View, product


@product(
    "vase-fluted-coral",
    "Fluted vase, satin coral",
    "vase",
    Backdrop("#9fb8a8", "#c6d4c8", "arch", accent="#dfe6da"),
    View(turn=8, elevation=10, fill=0.7),
)
def fluted_coral() -> None:
    keys = [(0.42, 0.0), (0.62, 0.3), (0.78, 0.86), (0.7, 1.4), (0.42, 1.76), (0.34, 1.96), (0.44, 2.2)]
    body = np.vstack([[(0, 0)], geo.smooth_curve(keys, 120)])
    geo.lathe(
        "vase",
        body,
        mat.glaze("#e8917f", mottle="#e2806f", roughness=0.5),
        thickness=0.06,
        ripple=_flutes,
        segments=384,
        sharp=1.3,
    )


def _flutes(angle: np.ndarray, z: np.ndarray) -> np.ndarray:
    fade = np.clip((z - 0.05) / 0.2, 0, 1) * np.clip((2.1 - z) / 0.2, 0, 1)
    twist = angle * 24 + 2.2 * z
    return 1 - 0.055 * np.abs(np.cos(twist / 2)) ** 3 * fade


@product(
    "vase-ring-pampas",
    "Ring vase with dried pampas",
    "vase",
    Backdrop("#bf7f60", "#d6a88c", "plinth", "leaves", accent="#f0d9c2"),
    View(turn=-18, elevation=8, fill=0.8),
)
def ring_pampas() -> None:
    chalk = mat.matte_clay("#f3ece0", 0.5)
    angle = np.linspace(0, 2 * np.pi, 120, endpoint=False)
    ring = np.column_stack([0.52 * np.cos(angle), 0 * angle, 0.74 + 0.52 * np.sin(angle)])
    geo.sweep("ring", ring, 0.24, chalk, closed=True, up=(0, 1, 0), sides=56)
    neck = geo.fillet([(0.2, 1.36), (0.14, 1.52), (0.15, 1.68), (0.19, 1.74)], 0.1)
    geo.lathe("neck", neck, chalk, thickness=0.03)
    geo.lathe("foot", geo.fillet([(0, 0), (0.3, 0), (0.32, 0.06), (0.2, 0.12)], 0.02), chalk)
    straw = mat.fabric("#ecd3a6", thread=80, shade="#cfa974")
    for i, (lean, reach) in enumerate(((-0.5, 1.05), (0.1, 1.3), (0.58, 1.0), (-0.16, 1.12), (0.34, 1.2))):
        _pampas(straw, lean, reach, seed=i)


def _pampas(material: bpy.types.Material, lean: float, reach: float, seed: int) -> None:
    """One stalk of grass: a bent stem and some hundreds of fine hairs along its upper half."""
    rng = np.random.default_rng(seed)
    tip = np.array([np.sin(lean) * reach, 0.25 * np.cos(5 * seed), np.cos(lean) * reach])
    stem = geo.smooth_curve(
        [
            (0, 0, 1.3),
            (0.15 * tip[0], 0, 1.75),
            (0.5 * tip[0], 0.4 * tip[1], 1.5 + 0.6 * tip[2]),
            (tip[0], tip[1], 1.5 + tip[2]),
        ],
        60,
    )
    geo.sweep("stem", stem, [0.014, 0.006], material, sides=8)
    curve = bpy.data.curves.new("plume", "CURVE")
    curve.dimensions, curve.bevel_depth, curve.bevel_resolution = "3D", 0.0022, 0
    curve.materials.append(material)
    for _ in range(1300):
        u = rng.uniform(0.4, 1.0)
        base = stem[int(u * 59)]
        forward = stem[min(59, int(u * 59) + 1)] - stem[int(u * 59) - 1]
        forward /= np.linalg.norm(forward)
        out = rng.normal(size=3) * (0.04 + 0.075 * np.sin(np.pi * (u - 0.36) / 0.66))
        length = 0.15 + 0.14 * np.sin(np.pi * (u - 0.36) / 0.66)
        points = [base, base + 0.5 * length * forward + 0.55 * out, base + length * forward + out]
        points[2][2] -= 0.025
        spline = curve.splines.new("NURBS")
        spline.points.add(2)
        for point, place in zip(spline.points, points, strict=True):
            point.co = (*place, 1.0)
            point.radius = 1.0
        spline.use_endpoint_u, spline.order_u = True, 3
    bpy.context.scene.collection.objects.link(bpy.data.objects.new("plume", curve))


@product(
    "vase-cobalt-tulips",
    "Blown vase, cobalt glass",
    "vase",
    Backdrop("#f1d79a", "#f6e7c2", shadow="window"),
    View(turn=14, elevation=8, fill=0.8),
)
def cobalt_tulips() -> None:
    cobalt, water = mat.glass("#3f66dd"), mat.glass("#b9ccf2", ior=1.33)
    keys = [(0.3, 0.02), (0.5, 0.14), (0.58, 0.46), (0.4, 0.82), (0.22, 1.06), (0.24, 1.2), (0.33, 1.3)]
    outer = geo.smooth_curve(keys, 60)
    inner = np.column_stack([outer[:, 0] - 0.03, outer[:, 1] + 0.06 * np.exp(-5 * outer[:, 1])])
    geo.lathe("glass", np.vstack([[(0, 0.02)], outer, inner[::-1], [(0, 0.09)]]), cobalt)
    filled = inner[inner[:, 1] < 0.6] - [0.006, 0]
    geo.lathe("water", np.vstack([[(0, 0.1)], filled, [(0, 0.6)]]), water)
    stems = (
        (-0.42, -0.1, 2.1, "#d81f12"),
        (0.36, 0.08, 2.25, "#e2501a"),
        (-0.04, 0.2, 2.5, "#c8141f"),
        (0.1, -0.3, 1.95, "#ee6a1c"),
    )
    for i, (x, y, z, colour) in enumerate(stems):
        _tulip(np.array([x, y, z]), colour, turn=i)


def _tulip(top: np.ndarray, colour: str, turn: int) -> None:
    """A stem from the vase to `top`, six cupped petals and one long leaf."""
    stalk = mat.plain("#6aa348", 0.45, Subsurface_Weight=0.1)
    base = np.array([-0.25 * top[0], -0.25 * top[1], 0.14])
    neck = np.array([0.28 * top[0], 0.28 * top[1], 1.25])
    path = geo.smooth_curve([base, neck, 0.5 * (neck + top) + [0.04 * top[0], 0, 0.02], top], 40)
    geo.sweep("stalk", path, 0.028, stalk, sides=12)
    petal = mat.Shader("petal", colour, Roughness=0.55)
    petal.set(
        Base_Color=petal.ramp(petal.math("MULTIPLY", petal.height(), 2.2), [(0.0, "#f2c94a"), (0.22, colour)])
    )
    v, u = np.linspace(0, 1, 18)[:, None], np.linspace(-1, 1, 13)[None, :]
    cup = 0.17 * np.sin(np.pi * (0.12 + 0.72 * v)) ** 0.8
    for k in range(6):
        layer = 0.92 if k % 2 else 1.0
        wide = 1.05 * np.sin(np.pi * np.clip(v, 0.03, 0.985) ** 0.8) ** 0.55 * (1 - 0.2 * v)
        angle = k * np.pi / 3 + u * wide * 0.72 + turn
        radius = cup * layer * (1 - 0.06 * u**2)
        z = 0.44 * v + 0 * u
        vertices = np.stack([radius * np.cos(angle), radius * np.sin(angle), z], -1).reshape(-1, 3)
        obj = geo.mesh_object(
            "petal", vertices, geo.grid_faces(18, 13, wrap=False), petal.material, sharp=2.0
        )
        obj.location = top - [0, 0, 0.03]
        obj.rotation_euler = (-0.25 * top[1], 0.3 * top[0], 0)
    _blade(neck, turn * 1.7 + (0.4 if top[0] > 0 else 2.6), stalk)


def _blade(base: np.ndarray, way: float, material: bpy.types.Material) -> None:
    t = np.linspace(0, 1, 24)[:, None]
    out = np.array([np.cos(way), np.sin(way) * 0.6, 0])
    across = np.array([-np.sin(way), np.cos(way), 0])
    spine = base - [0, 0, 0.25] + t * out * 0.55 * t + np.array([0, 0, 0.95]) * (t - 0.35 * t**3)
    half = 0.085 * np.sin(np.pi * np.clip(t, 0.06, 1) ** 0.7)
    u = np.linspace(-1, 1, 5)
    vertices = spine[:, None] + (half * u)[..., None] * across - (0.5 * half * u**2)[..., None] * out
    geo.mesh_object("blade", vertices.reshape(-1, 3), geo.grid_faces(24, 5, wrap=False), material, sharp=2.0)


@product(
    "vase-amphora-reactive",
    "Two-handled amphora, reactive glaze",
    "vase",
    Backdrop("#b4aca0", "#d2cbc0", shadow="window"),
    View(turn=-16, elevation=11, fill=0.72),
)
def amphora() -> None:
    stops = [
        (0.0, "#6b3d22"),
        (0.22, "#8a5a2c"),
        (0.4, "#2f6f6a"),
        (0.62, "#2f8f96"),
        (0.82, "#e0c98c"),
        (1.0, "#7a4a26"),
    ]
    glaze = mat.banded_glaze(stops, 0.0, 2.2)
    keys = [
        (0.36, 0.0),
        (0.4, 0.06),
        (0.58, 0.5),
        (0.76, 1.08),
        (0.62, 1.52),
        (0.32, 1.76),
        (0.28, 1.98),
        (0.4, 2.2),
    ]
    geo.lathe("body", np.vstack([[(0, 0)], geo.smooth_curve(keys, 120)]), glaze, thickness=0.06)
    for side in (-1, 1):
        bow = [(0.27, 1.98), (0.5, 2.06), (0.74, 1.92), (0.82, 1.66), (0.7, 1.38)]
        path = geo.smooth_curve([(side * x, 0, z) for x, z in bow], 48)
        geo.sweep("handle", path, [0.05, 0.06, 0.08], glaze, flatten=1.5, up=(1, 0, 0), round_ends=False)
