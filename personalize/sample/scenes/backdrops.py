"""Paper sweeps, tables, plinths and painted walls, and the cut-outs that throw soft shadows on them."""

import bpy
import numpy as np
from mathutils import Matrix, Vector

from . import geometry, materials
from .catalogue import Backdrop, Shadow

WALL_Y = 4.6


def build(backdrop: Backdrop) -> None:
    """Put the backdrop into the scene; the product's place is around the origin, on z = 0."""
    {"sweep": _sweep, "table": _table, "plinth": _plinth, "arch": _arch, "room": _room, "wall": _wall}[
        backdrop.setting
    ](backdrop)
    _gobo(backdrop.shadow)


def _paint(low: str, high: str, from_z: float, to_z: float, grain: float = 0.25) -> bpy.types.Material:
    """Painted canvas: one colour flowing into the other with height, mottled by hand."""
    s = materials.Shader("painted canvas", low, Roughness=0.9)
    rise = s.step(s.height(), from_z, to_z)
    colour = s.mix(rise, low, high)
    cloud = s.math("ADD", 0.86, s.math("MULTIPLY", s.noise(0.55, detail=7, distortion=0.5), 0.28))
    s.set(Base_Color=s.node("HueSaturation", Color=colour, Value=cloud).outputs[0])
    s.bump(s.noise(22, detail=6), grain, 0.012)
    return s.material


def _surface(profile: geometry.Points, material: bpy.types.Material, half_width: float = 16.0) -> None:
    """A sheet hung along x over a profile of (y, z)."""
    p = np.asarray(profile, float)
    sheet = [(x, y, z) for y, z in p for x in (-half_width, half_width)]
    geometry.mesh_object("sheet", sheet, geometry.grid_faces(len(p), 2, wrap=False), material, sharp=1.0)


def _sweep(backdrop: Backdrop, floor_z: float = 0.0) -> None:
    profile = geometry.fillet([(-14, floor_z), (WALL_Y, floor_z), (WALL_Y, 12)], 2.6, steps=24)
    _surface(profile, _paint(backdrop.floor, backdrop.wall, floor_z - 0.1, floor_z + 3.4))


def _table(backdrop: Backdrop) -> None:
    dark = _darker(backdrop.floor, 0.62)
    planks = materials.wood(backdrop.floor, dark, along="x", scale=0.55, gloss=0.5)
    for i in range(6):
        plank = geometry.box("plank", (18, 0.98, 0.2), planks, location=(0, i - 3.4, -0.1), edge=0.012)
        _move_grain(plank, i * 1.7, 0.4 * i, 0.3 * i)
        plank.location.x, plank.location.y, plank.location.z = -i * 1.7, i - 3.4 - 0.4 * i, -0.1 - 0.3 * i
    _surface([(WALL_Y, -4), (WALL_Y, 12)], _paint(backdrop.accent, backdrop.wall, -0.5, 3.0, 0.5))


def _darker(colour: str, share: float) -> str:
    """The hex colour with every channel reduced to a share of itself."""
    return "#" + "".join(f"{int(int(colour[i : i + 2], 16) * share):02x}" for i in (1, 3, 5))


def _move_grain(plank: bpy.types.Object, x: float, y: float, z: float) -> None:
    """Shift the mesh inside its object, so that no two planks show the same piece of wood."""
    plank.data.transform(Matrix.Translation((x, y, z)))


def _plinth(backdrop: Backdrop) -> None:
    _sweep(backdrop, floor_z=-0.7)
    stone = materials.matte_clay(backdrop.accent, 0.15)
    top = geometry.lathe("plinth", geometry.fillet([(0, 0), (1.75, 0), (1.75, -0.7)], 0.05), stone)
    top.location = (0, 0.35, -0.001)


def _arch(backdrop: Backdrop) -> None:
    """A wall with a lit arch standing before it, as in a small set."""
    _surface([(-14, 0), (WALL_Y, 0), (WALL_Y, 12)], _paint(backdrop.floor, backdrop.wall, 0.0, 0.4))
    angle = np.linspace(0, np.pi, 48)
    outline = [(1.7, 0), *zip(1.7 * np.cos(angle), 2.0 + 1.7 * np.sin(angle), strict=True), (-1.7, 0)]
    panel = geometry.cut_out("arch", outline, 0.5, _paint(backdrop.accent, backdrop.accent, 0, 1), edge=0.04)
    panel.location = (0.55, 3.2, 0)


def _room(backdrop: Backdrop) -> None:
    """A floor of boards, a wall and a skirting board."""
    dark = _darker(backdrop.floor, 0.7)
    boards = materials.wood(backdrop.floor, dark, along="x", scale=0.7, gloss=0.45)
    for i in range(18):
        board = geometry.box("board", (20, 0.59, 0.1), boards, edge=0.006)
        _move_grain(board, i * 2.3, i * 0.5, 0)
        board.location = (-i * 2.3, i * 0.6 - 6.2 - i * 0.5, -0.05)
    _surface([(3.2, 0), (3.2, 12)], _paint(backdrop.wall, backdrop.wall, 0, 4, 0.4))
    geometry.box(
        "skirting", (30, 0.06, 0.26), materials.plain(backdrop.accent, 0.5), location=(0, 3.17, 0.13)
    )


def _wall(backdrop: Backdrop) -> None:
    """Only a wall, close behind what hangs on it."""
    _surface([(0.0, -12), (0.0, 14)], _paint(backdrop.floor, backdrop.wall, -2.0, 3.0, 0.5))


def _gobo(shadow: Shadow) -> None:
    """A lamp far off to the left, seen only through a window frame or through leaves."""
    if shadow == "none":
        return
    source = bpy.data.lights.new("sun", "SPOT")
    source.energy, source.spot_size, source.shadow_soft_size = 15000, 0.9, 0.12
    source.color = (1.0, 0.92, 0.82)
    lamp = bpy.data.objects.new("sun", source)
    lamp.location = (-8.5, -6.5, 6.5)
    aim = np.array([0.4, 1.6, 1.0]) - np.array(lamp.location)
    lamp.rotation_euler = Vector(aim).to_track_quat("-Z", "Y").to_euler()
    bpy.context.scene.collection.objects.link(lamp)
    mask = _window_mask() if shadow == "window" else _leaf_mask()
    mask.location = Vector(lamp.location) + Vector(aim).normalized() * 5.2
    mask.rotation_euler = lamp.rotation_euler
    mask.visible_camera = mask.visible_glossy = mask.visible_diffuse = mask.visible_transmission = False


def _window_mask() -> bpy.types.Object:
    """Four panes cut out of a large board."""
    lines = [-9.0, -1.15, -0.05, 0.05, 1.15, 9.0]
    rows = [-9.0, -1.5, -0.56, -0.47, 0.47, 0.56, 1.5, 9.0]
    panes = {(c, r) for c in (1, 3) for r in (1, 3, 5)}
    vertices = [(x, y, 0) for y in rows for x in lines]
    n = len(lines)
    faces = [
        (r * n + c, r * n + c + 1, (r + 1) * n + c + 1, (r + 1) * n + c)
        for r in range(len(rows) - 1)
        for c in range(n - 1)
        if (c, r) not in panes
    ]
    return geometry.mesh_object("window mask", vertices, faces, materials.plain("#000000"))


def _leaf_mask() -> bpy.types.Object:
    """Fronds of long leaves, as a palm by the window would cast."""
    rng = np.random.default_rng(7)
    vertices: list[tuple[float, float, float]] = []
    faces: list[list[int]] = []
    t = np.linspace(0, 1, 12)
    half = 0.085 * np.sin(np.pi * t**0.7)
    for stem in range(5):
        lean = rng.uniform(-0.9, 0.9) + (2.2 if stem % 2 else 0.6)
        origin = np.array([-1.9 + 0.9 * stem, -1.7 + 0.25 * rng.uniform()])
        for k in range(11):
            base = origin + 0.24 * k * np.array([np.cos(lean), np.sin(lean)])
            way = lean + (0.85 if k % 2 else -0.85) + rng.uniform(-0.12, 0.12)
            along, across = np.array([np.cos(way), np.sin(way)]), np.array([-np.sin(way), np.cos(way)])
            spine = base + np.outer(t * rng.uniform(0.8, 1.15), along)
            rim = np.vstack([spine + half[:, None] * across, (spine - half[:, None] * across)[::-1]])
            start = len(vertices)
            vertices += [(x, y, 0.0) for x, y in rim]
            faces += [[start + i, start + i + 1, start + 22 - i, start + 23 - i] for i in range(11)]
    return geometry.mesh_object("leaf mask", vertices, faces, materials.plain("#000000"))
