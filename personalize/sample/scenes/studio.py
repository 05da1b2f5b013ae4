"""The studio: an empty scene, its lamps, a camera that frames what is there, and the render itself."""

import math
import tempfile
from pathlib import Path

import bpy
import numpy as np
from mathutils import Vector
from numpy.typing import NDArray

from . import backdrops, geometry
from .catalogue import Backdrop, Product, View

SENSOR_MM = 36.0
JPEG_QUALITY = 88


def photograph(product: Product, path: Path, *, size_px: int, samples: int) -> None:
    """Build the product's scene from nothing and write one square JPEG without metadata."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    product.build()
    subjects = [o for o in bpy.context.scene.objects if not geometry.is_prop(o)]
    _turn(list(bpy.context.scene.objects), product.view.turn)
    bpy.context.view_layer.update()
    _add_camera(_surface_points(subjects), product.view)
    backdrops.build(product.backdrop)
    _add_lamps(product.backdrop)
    _configure(size_px, samples)
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        raw = Path(folder) / "render.jpg"
        bpy.context.scene.render.filepath = str(raw)
        bpy.ops.render.render(write_still=True)
        path.write_bytes(without_metadata(raw.read_bytes()))


def _turn(objects: list[bpy.types.Object], degrees: float) -> None:
    pivot = bpy.data.objects.new("turntable", None)
    bpy.context.scene.collection.objects.link(pivot)
    for obj in objects:
        if obj.parent is None:
            obj.parent = pivot
    pivot.rotation_euler.z = math.radians(degrees)


def _surface_points(objects: list[bpy.types.Object]) -> NDArray[np.float64]:
    """Every vertex of the objects as they will be rendered, (n, 3) in world space."""
    graph = bpy.context.evaluated_depsgraph_get()
    clouds = []
    for obj in (o.evaluated_get(graph) for o in objects if o.type in {"MESH", "FONT", "CURVE"}):
        mesh = obj.to_mesh()
        points = np.empty(3 * len(mesh.vertices))
        mesh.vertices.foreach_get("co", points)
        world = np.array(obj.matrix_world)
        clouds.append(points.reshape(-1, 3) @ world[:3, :3].T + world[:3, 3])
        obj.to_mesh_clear()
    return np.concatenate(clouds)


def _add_camera(points: NDArray[np.float64], view: View) -> None:
    """Stand where the points fill the asked share of the frame, then shift the lens to centre them."""
    data = bpy.data.cameras.new("camera")
    data.lens, data.sensor_width = view.lens_mm, SENSOR_MM
    camera = bpy.data.objects.new("camera", data)
    bpy.context.scene.collection.objects.link(camera)
    bpy.context.scene.camera = camera
    down = math.radians(view.elevation)
    outward = np.array([0.0, -math.cos(down), math.sin(down)])
    centre = (points.min(0) + points.max(0)) / 2
    axes = np.array([[1, 0, 0], np.cross(outward, [1, 0, 0]), outward])
    local = (points - centre) @ axes.T

    def extent(distance: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        frame = local[:, :2] / (distance - local[:, 2:]) * view.lens_mm / SENSOR_MM
        return frame.min(0), frame.max(0)

    near, far = local[:, 2].max() + 0.1, 200.0
    for _ in range(60):
        distance = (near + far) / 2
        low, high = extent(distance)
        near, far = (distance, far) if (high - low).max() > view.fill else (near, distance)
    low, high = extent(far)
    camera.location = centre + outward * far
    camera.rotation_euler = Vector(-outward).to_track_quat("-Z", "Y").to_euler()
    data.shift_x, data.shift_y = (low[0] + high[0]) / 2, (low[1] + high[1]) / 2 + 0.015
    data.dof.use_dof = True
    data.dof.focus_distance = far - 0.5 * local[:, 2].max()
    data.dof.aperture_fstop = view.f_stop


def _add_lamps(backdrop: Backdrop) -> None:
    """Key from the upper left, wide fill from the right, a rim strip behind, a wash over the backdrop."""
    scene, level = bpy.context.scene, backdrop.light
    key_watts = 480 if backdrop.shadow == "none" else 230
    wash_watts = 240 if backdrop.setting in {"table", "room"} else 100
    scene.world = bpy.data.worlds.new("air")
    scene.world.use_nodes = True
    air = scene.world.node_tree.nodes["Background"].inputs
    air[0].default_value, air[1].default_value = (0.93, 0.96, 1.0, 1.0), 0.13 * level
    for name, location, target, size, watts, colour in (
        ("key", (-3.6, -3.2, 4.4), (0, 0, 0.8), (1.9, 1.9), key_watts, (1.0, 0.955, 0.9)),
        ("fill", (4.6, -3.4, 2.2), (0, 0, 0.8), (3.2, 4.0), 62, (0.92, 0.96, 1.0)),
        ("rim", (3.0, 2.4, 3.6), (0, 0, 0.9), (0.8, 2.8), 190, (1.0, 0.98, 0.95)),
        ("wash", (-0.5, 1.4, 6.5), (0.6, 4.4, 1.6), (3.0, 1.0), wash_watts, (1.0, 0.97, 0.93)),
    ):
        data = bpy.data.lights.new(name, "AREA")
        data.shape, data.size, data.size_y = "RECTANGLE", *size
        data.energy, data.color = watts * level, colour
        lamp = bpy.data.objects.new(name, data)
        lamp.location = location
        lamp.rotation_euler = (Vector(target) - Vector(location)).to_track_quat("-Z", "Y").to_euler()
        scene.collection.objects.link(lamp)


def _configure(size_px: int, samples: int) -> None:
    scene = bpy.context.scene
    scene.render.engine = "CYCLES"
    cycles = scene.cycles
    cycles.device, cycles.samples, cycles.seed = "CPU", samples, 1
    cycles.use_adaptive_sampling, cycles.adaptive_threshold, cycles.adaptive_min_samples = True, 0.04, 8
    cycles.use_denoising, cycles.denoiser = True, "OPENIMAGEDENOISE"
    cycles.max_bounces, cycles.diffuse_bounces, cycles.glossy_bounces = 9, 2, 3
    cycles.transmission_bounces, cycles.transparent_max_bounces = 9, 8
    cycles.caustics_reflective, cycles.caustics_refractive = False, False
    cycles.sample_clamp_indirect, cycles.blur_glossy = 6.0, 0.6
    render = scene.render
    render.resolution_x = render.resolution_y = size_px
    render.resolution_percentage = 100
    render.image_settings.file_format, render.image_settings.quality = "JPEG", JPEG_QUALITY
    scene.view_settings.view_transform = "Khronos PBR Neutral"  # keeps a product's colour as it was named
    scene.view_settings.exposure = -0.3


def without_metadata(jpeg: bytes) -> bytes:
    """The same JPEG with its comments and its APP1-APP15 segments (EXIF, XMP, maker notes) left out."""
    kept, at = [jpeg[:2]], 2
    while jpeg[at + 1] != 0xDA:  # start of scan: picture data to the end
        length = 2 + int.from_bytes(jpeg[at + 2 : at + 4], "big")
        if not (0xE1 <= jpeg[at + 1] <= 0xEF or jpeg[at + 1] == 0xFE):
            kept.append(jpeg[at : at + length])
        at += length
    return b"".join([*kept, jpeg[at:]])
