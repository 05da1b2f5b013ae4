"""Lamps, switched on: linen over ceramic, a jointed desk lamp, an opal mushroom, a globe on an arch."""

import math

import bpy
import numpy as np

from . import geometry as geo
from . import materials as mat
from .catalogue import Backdrop, View, product


def _bulb(location: tuple[float, float, float], watts: float, colour: tuple[float, float, float]) -> None:
    """A small lamp that lights the set around it."""
    data = bpy.data.lights.new("bulb", "POINT")
    data.energy, data.color, data.shadow_soft_size = watts, colour, 0.12
    bulb = bpy.data.objects.new("bulb", data)
    bulb.location = location
    bpy.context.scene.collection.objects.link(bulb)


WARM = (1.0, 0.72, 0.42)


@product(
    "lamp-ceramic-linen",
    "Table lamp, green ceramic with linen shade",
    "lamp",
    Backdrop("#d79a84", "#b5855a", "table", accent="#dba793", light=0.8),
    View(elevation=7, fill=0.76, f_stop=0.6),
)
def ceramic_linen() -> None:
    green = mat.glaze("#1f6b52", mottle="#14513f", roughness=0.14)
    brass = mat.metal("#d8a24a", 0.22)
    keys = [(0.3, 0.08), (0.36, 0.14), (0.52, 0.44), (0.44, 0.72), (0.22, 0.92), (0.15, 1.04)]
    geo.lathe("body", np.vstack([[(0, 0.08)], geo.smooth_curve(keys, 80)]), green)
    geo.lathe("foot", geo.fillet([(0, 0), (0.34, 0), (0.34, 0.07), (0, 0.09)], 0.02), brass)
    geo.lathe(
        "neck", geo.fillet([(0.14, 1.03), (0.15, 1.05), (0.09, 1.08), (0.05, 1.12), (0.05, 1.3)], 0.02), brass
    )
    linen = mat.shade_cloth("#cdb896", "#ffb05c", 1.5, 1.14, 1.98)
    geo.lathe("shade", [(0.74, 1.14), (0.52, 1.98)], linen, thickness=0.012)
    for radius, z in ((0.74, 1.14), (0.52, 1.98)):
        ring = np.linspace(0, 2 * np.pi, 96, endpoint=False)
        hem = np.column_stack([radius * np.cos(ring), radius * np.sin(ring), 0 * ring + z])
        geo.sweep("hem", hem, 0.016, mat.fabric("#e9d8b8"), closed=True, sides=10)
    _bulb((0, 0, 1.42), 26, WARM)


@product(
    "lamp-desk-orange",
    "Jointed desk lamp, signal orange",
    "lamp",
    Backdrop("#7fa9b5", "#c7d8da", "sweep", light=0.85),
    View(turn=-14, elevation=9, fill=0.72),
)
def desk_orange() -> None:
    orange, steel = mat.powder_coat("#f2681c", 0.32), mat.metal("#cfd2d5", 0.2)
    dark = mat.plain("#1d1f22", 0.4)
    geo.lathe(
        "base",
        geo.fillet([(0, 0), (0.46, 0), (0.46, 0.08), (0.08, 0.13), (0, 0.13)], [0.02, 0.03, 0.02]),
        orange,
    )
    elbow, pivot, head = np.array([-0.42, 0, 1.12]), np.array([0, 0, 0.2]), np.array([0.5, 0, 1.72])
    for y in (-0.05, 0.05):
        beside = np.array([0, y, 0])
        geo.sweep("arm", [pivot + beside, elbow + beside], 0.02, orange)
        geo.sweep("arm", [elbow + beside, head + beside], 0.02, orange)
    axle = np.array([0, 0.09, 0])
    for place, radius in ((pivot, 0.055), (elbow, 0.065), (head, 0.055)):
        geo.sweep("joint", [place - axle, place + axle], radius, steel)
    geo.sweep("post", [(0, 0, 0.1), (0, 0, 0.2)], 0.035, steel)
    for start, end in ((pivot, elbow), (elbow, head)):
        _spring(start + 0.12 * (end - start), start + 0.5 * (end - start), steel)
    tilt = math.radians(148)
    profile = [(0.08, -0.16), (0.11, -0.15), (0.13, 0.02), (0.2, 0.12), (0.42, 0.5)]
    shade = geo.lathe("shade", geo.fillet(profile, [0.02, 0.06, 0.12]), orange, thickness=0.014)
    cap = geo.lathe("cap", geo.fillet([(0, -0.21), (0.06, -0.21), (0.085, -0.15)], 0.02), dark)
    bulb = geo.soft_box(
        "bulb", (0.24, 0.24, 0.26), mat.glow("#ffdca6", 5.0), squareness=(1, 1), resolution=24
    )
    collar = head + np.array([0.08, 0, -0.02])
    aim = np.array([math.sin(tilt), 0, math.cos(tilt)])
    for part, along in ((shade, 0.0), (cap, 0.0), (bulb, 0.3)):
        part.rotation_euler = (0, tilt, 0)
        part.location = collar + along * aim
    _bulb(tuple(head + 0.5 * aim), 20, WARM)
    cord = [(0, 0.44, 0.05), (0.1, 0.8, 0.02), (-0.3, 1.3, 0.02), (-1.2, 1.5, 0.02), (-3, 2.4, 0.02)]
    geo.mark_as_prop(geo.sweep("cord", geo.smooth_curve(cord, 60), 0.014, dark))


def _spring(start: np.ndarray, end: np.ndarray, material: bpy.types.Material) -> None:
    t = np.linspace(0, 1, 420)
    axis = (end - start) / np.linalg.norm(end - start)
    across = np.cross(axis, [0, 1, 0])
    angle = t * 2 * np.pi * 26
    coil = start + t[:, None] * (end - start)
    coil = coil + 0.036 * (np.cos(angle)[:, None] * across + np.sin(angle)[:, None] * np.array([0, 1, 0]))
    geo.sweep("spring", coil, 0.007, material, sides=6)


@product(
    "lamp-mushroom-opal",
    "Mushroom lamp, opal glass on brick red",
    "lamp",
    Backdrop("#b98f9c", "#d3b2b6", "plinth", accent="#ead9d2", light=0.6),
    View(elevation=8, fill=0.68),
)
def mushroom_opal() -> None:
    red = mat.plain("#b7301f", 0.16, Coat_Weight=0.5)
    keys = [(0.52, 0.0), (0.5, 0.05), (0.3, 0.16), (0.17, 0.5), (0.14, 1.0), (0.2, 1.2)]
    geo.lathe("stem", np.vstack([[(0, 0)], geo.smooth_curve(keys, 80)]), red)
    angle = np.linspace(0, np.pi / 2, 48)
    dome = np.column_stack([0.86 * np.cos(angle), 1.08 + 0.62 * np.sin(angle)])
    opal = mat.Shader("opal", "#fff3df", Roughness=0.1, Coat_Weight=0.6)
    rise = {"From_Min": 1.05, "From_Max": 1.7, "To_Min": 1.05, "To_Max": 0.28}
    level = opal.node("MapRange", Value=opal.height(), **rise).outputs[0]
    opal.set(Emission_Color=mat.linear("#ffc27c"), Emission_Strength=level)
    profile = [(0.2, 1.12), (0.5, 1.06), (0.82, 1.05), *dome]
    geo.lathe("dome", profile, opal.material, sharp=1.2)
    geo.lathe("cap", geo.fillet([(0.07, 1.69), (0.07, 1.73), (0, 1.74)], 0.02), mat.metal("#d8a24a", 0.2))
    _bulb((0, -0.5, 0.98), 5, WARM)
    _bulb((0.4, 0.4, 0.98), 5, WARM)


@product(
    "lamp-globe-brass",
    "Arched table lamp, brass and opal globe",
    "lamp",
    Backdrop("#3f6f78", "#6f98a0", "arch", accent="#7fa7ad", light=0.7),
    View(turn=-16, elevation=9, fill=0.76),
)
def globe_brass() -> None:
    brass = mat.metal("#dda84c", 0.16)
    foot = geo.lathe(
        "foot", geo.fillet([(0, 0), (0.42, 0), (0.42, 0.2), (0, 0.2)], 0.03), mat.marble("#f1eee9", "#6d6a6b")
    )
    foot.location = (-0.42, 0, 0)
    path = geo.fillet([(-0.42, 0, 0.18), (-0.42, 0, 2.05), (0.42, 0, 2.05), (0.42, 0, 1.62)], 0.42, steps=24)
    geo.sweep("arch", path, 0.034, brass, up=(0, 1, 0))
    cup = geo.lathe("cup", geo.fillet([(0, 1.66), (0.12, 1.66), (0.13, 1.56)], 0.03), brass)
    cup.location.x = 0.42
    geo.soft_box(
        "globe", (0.66, 0.66, 0.66), mat.glow("#ffdcae", 1.2), location=(0.42, 0, 1.3), squareness=(1, 1)
    )
    collar = geo.lathe(
        "collar", geo.fillet([(0.05, 0.2), (0.07, 0.2), (0.07, 0.26), (0.036, 0.27)], 0.01), brass
    )
    collar.location.x = -0.42
    for x, y in ((0.42, -0.5), (0.9, 0.2)):
        _bulb((x, y, 1.1), 7, WARM)
