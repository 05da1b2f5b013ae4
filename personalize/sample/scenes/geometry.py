"""Shapes made from numbers: turned profiles, swept tubes, soft boxes, cut-outs.

Every function builds one mesh object, gives it a material, links it to the scene and returns it.
The studio works in units in which a product is about 2 tall and stands on z = 0; the camera looks
along +y, so a product's front faces -y.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise

import bmesh
import bpy
import numpy as np
from numpy.typing import NDArray

Points = Sequence[Sequence[float]] | NDArray[np.float64]
Ripple = Callable[[NDArray[np.float64], NDArray[np.float64]], NDArray[np.float64]]


def smooth_curve(points: Points, samples: int = 64) -> NDArray[np.float64]:
    """A centripetal Catmull-Rom curve through `points`, (samples, d)."""
    p = np.asarray(points, float)
    p = np.vstack([2 * p[0] - p[1], p, 2 * p[-1] - p[-2]])
    knots = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(p, axis=0), axis=1) ** 0.5)])
    t = np.linspace(knots[1], knots[-2], samples)
    i = np.clip(np.searchsorted(knots, t, side="right") - 1, 1, len(p) - 3)

    def blend(a: NDArray, b: NDArray, ta: NDArray, tb: NDArray) -> NDArray:
        return ((tb - t) / (tb - ta))[:, None] * a + ((t - ta) / (tb - ta))[:, None] * b

    k0, k1, k2, k3 = (knots[i + j] for j in (-1, 0, 1, 2))
    a1, a2, a3 = (
        blend(p[i - 1], p[i], k0, k1),
        blend(p[i], p[i + 1], k1, k2),
        blend(p[i + 1], p[i + 2], k2, k3),
    )
    return blend(blend(a1, a2, k0, k2), blend(a2, a3, k1, k3), k1, k2)


def fillet(points: Points, radius: float | Sequence[float], steps: int = 8) -> NDArray[np.float64]:
    """The polyline `points` with its inner corners rounded; one radius, or one for each inner corner."""
    p = np.asarray(points, float)
    radii = np.broadcast_to(np.asarray(radius, float), len(p) - 2)
    out = [p[0]]
    for before, corner, after, r in zip(p[:-2], p[1:-1], p[2:], radii, strict=True):
        a, b = before - corner, after - corner
        reach = min(r, 0.49 * np.linalg.norm(a), 0.49 * np.linalg.norm(b))
        start, end = corner + a / np.linalg.norm(a) * reach, corner + b / np.linalg.norm(b) * reach
        t = np.linspace(0, 1, steps)[:, None]
        out.extend((1 - t) ** 2 * start + 2 * t * (1 - t) * corner + t**2 * end)
    out.append(p[-1])
    return np.array(out)


def resample(points: Points, step: float) -> NDArray[np.float64]:
    """The same polyline with a point at least every `step`, so that ripples have vertices to move."""
    p = np.asarray(points, float)
    pieces = [
        np.linspace(a, b, max(1, int(np.ceil(np.linalg.norm(b - a) / step))), endpoint=False)
        for a, b in pairwise(p)
    ]
    return np.vstack([*pieces, p[-1:]])


def mesh_object(
    name: str,
    vertices: Points,
    faces: Sequence[Sequence[int]],
    material: bpy.types.Material,
    sharp: float = 0.7,
) -> bpy.types.Object:
    """A smooth-shaded object; edges bent by more than `sharp` radians stay sharp."""
    mesh = bpy.data.meshes.new(name)
    mesh.from_pydata(np.asarray(vertices, float).tolist(), [], [list(map(int, f)) for f in faces])
    work = bmesh.new()
    work.from_mesh(mesh)
    bmesh.ops.remove_doubles(work, verts=work.verts, dist=1e-5)
    bmesh.ops.recalc_face_normals(work, faces=work.faces)
    work.to_mesh(mesh)
    work.free()
    mesh.shade_smooth()
    mesh.set_sharp_from_angle(angle=sharp)
    mesh.materials.append(material)
    obj = bpy.data.objects.new(name, mesh)
    bpy.context.scene.collection.objects.link(obj)
    return obj


def grid_faces(rows: int, columns: int, wrap: bool = True) -> list[tuple[int, int, int, int]]:
    """Quads of a rows x columns grid of vertices, the last column joined to the first when `wrap`."""
    last = columns if wrap else columns - 1
    return [
        (
            r * columns + c,
            r * columns + (c + 1) % columns,
            (r + 1) * columns + (c + 1) % columns,
            (r + 1) * columns + c,
        )
        for r in range(rows - 1)
        for c in range(last)
    ]


def lathe(
    name: str,
    profile: Points,
    material: bpy.types.Material,
    *,
    thickness: float = 0.0,
    ripple: Ripple | None = None,
    segments: int = 128,
    sharp: float = 0.7,
) -> bpy.types.Object:
    """The surface turned from a profile of (radius, z).

    A thickness makes the walls of a vessel, grown inwards with a rounded rim. `ripple(angle, z)`
    multiplies the radius and makes flutes, facets and twists.
    """
    p = np.asarray(profile, float)
    angle = np.linspace(0, 2 * np.pi, segments, endpoint=False)
    radius = p[:, :1] * (1 if ripple is None else ripple(angle[None, :], p[:, 1:]))
    radius, z = np.broadcast_arrays(radius, p[:, 1:] + 0 * angle)
    vertices = np.stack([radius * np.cos(angle), radius * np.sin(angle), z], -1).reshape(-1, 3)
    obj = mesh_object(name, vertices, grid_faces(len(p), segments), material, sharp)
    if thickness:
        walls = obj.modifiers.new("walls", "SOLIDIFY")
        walls.thickness, walls.offset, walls.use_even_offset = thickness, -1.0, True
        bevel(obj, thickness * 0.42)
    return obj


def bevel(obj: bpy.types.Object, width: float, segments: int = 3) -> bpy.types.Object:
    """Round every edge bent by more than 40 degrees."""
    modifier = obj.modifiers.new("bevel", "BEVEL")
    modifier.width, modifier.segments, modifier.limit_method = width, segments, "ANGLE"
    modifier.angle_limit, modifier.harden_normals = 0.7, True
    return obj


def sweep(
    name: str,
    path: Points,
    radius: float | Sequence[float] | NDArray[np.float64],
    material: bpy.types.Material,
    *,
    flatten: float = 1.0,
    up: Sequence[float] = (0.0, 0.0, 1.0),
    sides: int = 28,
    closed: bool = False,
    round_ends: bool = True,
) -> bpy.types.Object:
    """A tube along a path of (n, 3) points, its radius given once or along the way.

    `flatten` scales the section across `up`; the ends are half spheres unless told otherwise.
    """
    p = np.asarray(path, float)
    r = (
        np.broadcast_to(np.asarray(radius, float), len(p))
        if np.ndim(radius) == 0
        else np.interp(np.linspace(0, 1, len(p)), np.linspace(0, 1, len(radius)), radius)
    )
    if round_ends and not closed:
        p, r = _with_round_ends(p, r)
    tangent = np.roll(p, -1, 0) - np.roll(p, 1, 0) if closed else np.gradient(p, axis=0)
    tangent /= np.linalg.norm(tangent, axis=1, keepdims=True)
    side = np.empty_like(p)
    previous = np.cross(tangent[0], up)
    if np.linalg.norm(previous) < 1e-6:
        previous = np.cross(tangent[0], (1.0, 0.0, 0.0))
    for i, t in enumerate(tangent):
        previous = previous - t * np.dot(previous, t)
        previous = previous / np.linalg.norm(previous)
        side[i] = previous
    across = np.cross(side, tangent)
    angle = np.linspace(0, 2 * np.pi, sides, endpoint=False)[None, :, None]
    ring = side[:, None] * np.cos(angle) * flatten + across[:, None] * np.sin(angle)
    vertices = p[:, None] + ring * r[:, None, None]
    if closed:
        vertices = np.concatenate([vertices, vertices[:1]])
    faces: list[Sequence[int]] = list(grid_faces(len(vertices), sides))
    if not closed:
        faces += [range(sides), range((len(p) - 1) * sides, len(p) * sides)]
    return mesh_object(name, vertices.reshape(-1, 3), faces, material, sharp=1.0)


def _with_round_ends(p: NDArray, r: NDArray, steps: int = 5) -> tuple[NDArray, NDArray]:
    a = np.linspace(0.96, 0, steps, endpoint=False)[:, None] * np.pi / 2
    first, last = p[0] - p[1], p[-1] - p[-2]
    first, last = first / np.linalg.norm(first), last / np.linalg.norm(last)
    head, tail = p[0] + first * np.sin(a) * r[0], p[-1] + last * np.sin(a[::-1]) * r[-1]
    shrink = np.cos(a[:, 0])
    return np.vstack([head, p, tail]), np.concatenate([r[0] * shrink, r, r[-1] * shrink[::-1]])


def soft_box(
    name: str,
    size: Sequence[float],
    material: bpy.types.Material,
    *,
    location: Sequence[float] = (0, 0, 0),
    squareness: tuple[float, float] = (0.4, 0.4),
    resolution: int = 64,
) -> bpy.types.Object:
    """A superellipsoid: 1 is an ellipsoid, 0 a box; (seen from the side, seen from above)."""
    v = np.linspace(-np.pi / 2, np.pi / 2, resolution)[:, None]
    u = np.linspace(-np.pi, np.pi, 2 * resolution, endpoint=False)[None, :]

    def power(x: NDArray, exponent: float) -> NDArray:
        return np.sign(x) * np.abs(x) ** exponent

    e, n = squareness
    xyz = np.stack(
        [
            power(np.cos(v), e) * power(np.cos(u), n) * size[0] / 2,
            power(np.cos(v), e) * power(np.sin(u), n) * size[1] / 2,
            np.broadcast_to(power(np.sin(v), e) * size[2] / 2, (resolution, 2 * resolution)),
        ],
        -1,
    )
    obj = mesh_object(name, xyz.reshape(-1, 3), grid_faces(resolution, 2 * resolution), material, sharp=1.2)
    obj.location = location
    return obj


def box(
    name: str,
    size: Sequence[float],
    material: bpy.types.Material,
    *,
    location: Sequence[float] = (0, 0, 0),
    rotation: Sequence[float] = (0, 0, 0),
    edge: float = 0.02,
) -> bpy.types.Object:
    """A box with rounded edges, centred on `location`."""
    x, y, z = (s / 2 for s in size)
    corners = [(i, j, k) for k in (-z, z) for j in (-y, y) for i in (-x, x)]
    faces = [(0, 1, 3, 2), (4, 5, 7, 6), (0, 1, 5, 4), (2, 3, 7, 6), (0, 2, 6, 4), (1, 3, 7, 5)]
    obj = mesh_object(name, corners, faces, material)
    obj.location, obj.rotation_euler = location, rotation
    return bevel(obj, edge)


def cut_out(
    name: str, outline: Points, depth: float, material: bpy.types.Material, *, edge: float = 0.01
) -> bpy.types.Object:
    """A flat outline of (x, z) points, standing upright, `depth` thick around y = 0."""
    p = np.asarray(outline, float)
    n = len(p)
    front = np.column_stack([p[:, 0], np.full(n, -depth / 2), p[:, 1]])
    faces = [
        list(range(n)),
        list(range(n, 2 * n)),
        *((i, (i + 1) % n, n + (i + 1) % n, n + i) for i in range(n)),
    ]
    return bevel(
        mesh_object(name, np.vstack([front, front + np.array([0, depth, 0])]), faces, material), edge
    )


def lettering(
    text: str,
    size: float,
    material: bpy.types.Material,
    *,
    location: Sequence[float],
    rotation: Sequence[float],
) -> bpy.types.Object:
    """Printed text, centred, in Blender's own font."""
    curve = bpy.data.curves.new(text, "FONT")
    curve.body, curve.size, curve.align_x, curve.align_y = text, size, "CENTER", "CENTER"
    curve.extrude = 0.002
    curve.materials.append(material)
    obj = bpy.data.objects.new(text, curve)
    obj.location, obj.rotation_euler = location, rotation
    bpy.context.scene.collection.objects.link(obj)
    return obj


def mark_as_prop(obj: bpy.types.Object) -> None:
    """Make the object scenery: the camera does not make room for it."""
    obj["is_prop"] = True


def is_prop(obj: bpy.types.Object) -> bool:
    return bool(obj.get("is_prop"))
