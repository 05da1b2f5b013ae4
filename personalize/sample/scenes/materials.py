"""What the products are made of: procedural materials, no image files. Colours are sRGB hex strings."""

from collections.abc import Sequence
from typing import Any

import bpy

from .shader import Shader, Socket, linear


def plain(colour: str, roughness: float = 0.45, **principled: Any) -> bpy.types.Material:
    """One colour: lacquer, plastic, rubber."""
    return Shader("plain", colour, Roughness=roughness, **principled).material


def powder_coat(colour: str, roughness: float = 0.42) -> bpy.types.Material:
    """Painted metal with the faint orange peel of a baked coat."""
    s = Shader("powder coat", colour, Roughness=roughness, Coat_Weight=0.25, Coat_Roughness=0.25)
    s.bump(s.noise(90, detail=2), 0.06, 0.01)
    return s.material


def glaze(
    colour: str,
    *,
    roughness: float = 0.22,
    speckle: str | None = None,
    density: float = 0.5,
    mottle: str | None = None,
) -> bpy.types.Material:
    """Glazed clay: an uneven glossy coat, mottled towards a second colour and speckled with a third."""
    s = Shader("glaze", colour, Roughness=roughness, Coat_Weight=0.35, Coat_Roughness=0.1)
    body: Socket | str = colour
    if mottle:
        body = s.mix(s.step(s.noise(3.2, detail=6, distortion=0.4), 0.38, 0.68), body, mottle)
    if speckle:
        cells = s.node("TexVoronoi", Vector=s.position, Scale=17.0)
        lot = s.node("SeparateColor", Color=cells.outputs["Color"]).outputs[0]
        size = s.math("MULTIPLY", s.math("SUBTRACT", lot, 1.0 - density), 0.42)
        body = s.mix(s.step(s.math("SUBTRACT", size, cells.outputs["Distance"]), -0.02, 0.04), body, speckle)
    if not isinstance(body, str):
        s.set(Base_Color=body)
    s.bump(s.noise(5, detail=2), 0.12, 0.03)
    return s.material


def dipped(
    clay: str, coat: str, at: float, *, wave: float = 0.08, pool: str | None = None
) -> bpy.types.Material:
    """Raw clay below z = `at`, a glossy glaze above, with a wavy edge where the glaze pooled."""
    s = Shader("dipped", clay)
    edge = s.math("ADD", s.height(), s.math("MULTIPLY", s.math("SUBTRACT", s.noise(2.2), 0.5), wave * 2))
    above = s.step(edge, at - 0.008, at + 0.008)
    top: Socket | str = coat
    if pool:
        top = s.mix(s.step(edge, at, at + 0.4), pool, coat)
    raw = s.mix(
        s.step(s.noise(40, detail=4), 0.3, 0.7), clay, "#8d5a40" if clay.startswith("#b") else "#cfc3b0"
    )
    s.set(Base_Color=s.mix(above, raw, top), Coat_Weight=s.math("MULTIPLY", above, 0.5))
    s.set(Roughness=s.math("SUBTRACT", 0.75, s.math("MULTIPLY", above, 0.55)))
    s.bump(s.math("ADD", s.math("MULTIPLY", above, 0.7), s.math("MULTIPLY", s.noise(60), 0.12)), 0.5, 0.012)
    return s.material


def banded_glaze(stops: Sequence[tuple[float, str]], low: float, high: float) -> bpy.types.Material:
    """A reactive glaze: colours run into each other from z = `low` to `high`."""
    s = Shader("banded glaze", "#808080", Roughness=0.2, Coat_Weight=0.5, Coat_Roughness=0.08)
    z = s.node("MapRange", Value=s.height(), From_Min=low, From_Max=high).outputs[0]
    drift = s.math(
        "MULTIPLY", s.math("SUBTRACT", s.noise(3.5, detail=8, at=s.stretched((1, 1, 0.35))), 0.5), 0.34
    )
    s.set(Base_Color=s.ramp(s.math("ADD", z, drift), stops))
    s.bump(s.noise(6), 0.15, 0.03)
    return s.material


def matte_clay(colour: str, grain: float = 0.35) -> bpy.types.Material:
    """Unglazed clay, plaster or concrete."""
    s = Shader("matte clay", colour, Roughness=0.85)
    tint = s.noise(2.4, detail=8)
    s.set(
        Base_Color=s.node(
            "HueSaturation", Value=s.math("ADD", 0.85, s.math("MULTIPLY", tint, 0.3)), Color=linear(colour)
        ).outputs[0]
    )
    s.bump(s.noise(38, detail=6), grain, 0.012)
    return s.material


def glass(colour: str = "#ffffff", roughness: float = 0.0, ior: float = 1.46) -> bpy.types.Material:
    return Shader("glass", colour, Roughness=roughness, Transmission_Weight=1.0, IOR=ior).material


def metal(
    colour: str = "#d5d6d8", roughness: float = 0.22, *, brush: Sequence[float] | None = None
) -> bpy.types.Material:
    """Metal, brushed across the axis whose `brush` scale is largest."""
    s = Shader("metal", colour, Metallic=1.0, Roughness=roughness)
    if brush:
        lines = s.noise(6.0, detail=4, at=s.stretched(brush))
        s.set(Roughness=s.math("ADD", roughness - 0.06, s.math("MULTIPLY", lines, 0.18)))
        s.bump(lines, 0.08, 0.01)
    return s.material


def hammered(colour: str, roughness: float = 0.2, scale: float = 9.0) -> bpy.types.Material:
    """Metal beaten into small dents."""
    s = Shader("hammered", colour, Metallic=1.0, Roughness=roughness)
    s.bump(
        s.node("TexVoronoi", {"feature": "SMOOTH_F1"}, Vector=s.position, Scale=scale).outputs["Distance"],
        0.5,
        0.05,
    )
    return s.material


def wood(
    light: str, dark: str, *, along: str = "z", scale: float = 1.0, gloss: float = 0.42
) -> bpy.types.Material:
    """Planed wood with its grain running along one axis."""
    s = Shader("wood", light, Coat_Weight=0.12, Coat_Roughness=0.3)
    stretch = [3.2 * scale] * 3
    stretch["xyz".index(along)] = 0.28 * scale
    at = s.stretched(stretch)
    rings = s.noise(1.7, detail=4, at=at, distortion=1.6)
    bands = s.math("SINE", s.math("MULTIPLY", rings, 46.0))
    fine = s.noise(17, detail=6, at=at)
    mixed = s.math("ADD", s.math("MULTIPLY", bands, 0.22), fine)
    s.set(Base_Color=s.ramp(mixed, [(0.2, dark), (0.78, light)]))
    s.set(Roughness=s.math("ADD", gloss - 0.08, s.math("MULTIPLY", fine, 0.2)))
    s.bump(mixed, 0.12, 0.01)
    return s.material


def fabric(
    colour: str, *, thread: float = 60.0, shade: str | None = None, depth: float = 0.5
) -> bpy.types.Material:
    """A plain weave with slubs, and the soft sheen of fibre."""
    s = Shader("fabric", colour, Roughness=0.9, Sheen_Weight=0.35, Sheen_Roughness=0.4)
    waves = [
        s.node(
            "TexWave",
            {"bands_direction": axis},
            Vector=s.position,
            Scale=thread / 3,
            Distortion=1.2,
            Detail=2.0,
        )
        for axis in "XYZ"
    ]
    weave = s.math(
        "MULTIPLY", s.math("MAXIMUM", waves[0].outputs[1], waves[1].outputs[1]), waves[2].outputs[1]
    )
    slub = s.noise(thread * 0.5, detail=5)
    s.set(
        Base_Color=s.mix(
            s.step(s.math("ADD", s.math("MULTIPLY", weave, 0.35), slub), 0.35, 0.95), shade or colour, colour
        )
    )
    s.bump(s.math("ADD", weave, slub), depth, 0.015)
    return s.material


def boucle(colour: str, shade: str) -> bpy.types.Material:
    """Looped wool: small curls, dark in the gaps."""
    s = Shader("boucle", colour, Roughness=0.95, Sheen_Weight=0.5)
    at = s.node("VectorMath", {"operation": "ADD"})
    s.feed(at.inputs[0], s.position)
    s.feed(at.inputs[1], s.node("TexNoise", Vector=s.position, Scale=14.0).outputs[1])
    curls = s.node("TexVoronoi", {"feature": "SMOOTH_F1"}, Vector=at.outputs[0], Scale=22.0).outputs[
        "Distance"
    ]
    s.set(Base_Color=s.mix(s.step(curls, 0.25, 0.75), colour, shade))
    s.bump(s.math("SUBTRACT", 1.0, curls), 0.9, 0.03)
    return s.material


def leather(colour: str, dark: str, roughness: float = 0.42, grain: float = 48.0) -> bpy.types.Material:
    """Grained hide, worn lighter and darker in large patches."""
    s = Shader("leather", colour, Coat_Weight=0.1, Coat_Roughness=0.35)
    s.set(Base_Color=s.mix(s.step(s.noise(2.6, detail=6), 0.3, 0.75), dark, colour))
    pores = s.node("TexVoronoi", {"feature": "DISTANCE_TO_EDGE"}, Vector=s.position, Scale=grain).outputs[
        "Distance"
    ]
    s.set(Roughness=s.math("ADD", roughness - 0.06, s.math("MULTIPLY", s.noise(9), 0.14)))
    s.bump(s.step(pores, 0.0, 0.22), 0.3, 0.008)
    return s.material


def cork() -> bpy.types.Material:
    s = Shader("cork", "#c79a66", Roughness=0.85)
    grains = s.node("TexVoronoi", Vector=s.position, Scale=22.0)
    s.set(
        Base_Color=s.ramp(
            grains.outputs["Distance"], [(0.05, "#8a5f38"), (0.35, "#c99d6b"), (0.9, "#dcb98c")]
        )
    )
    s.bump(s.noise(40, detail=5), 0.5, 0.015)
    return s.material


def marble(light: str, vein: str) -> bpy.types.Material:
    s = Shader("marble", light, Roughness=0.18, Coat_Weight=0.4)
    flow = s.noise(1.6, detail=8, distortion=2.2)
    ridge = s.math("ABSOLUTE", s.math("SUBTRACT", flow, 0.5))
    s.set(Base_Color=s.mix(s.step(ridge, 0.0, 0.07), vein, light))
    return s.material


def glow(colour: str, strength: float) -> bpy.types.Material:
    """A lit bulb or an opal globe, dimmer and warmer towards its edge."""
    s = Shader("glow", "#fff3df", Roughness=0.15, Coat_Weight=0.5)
    edge = s.node("LayerWeight", Blend=0.45).outputs["Facing"]
    s.set(Emission_Color=s.mix(edge, colour, "#f0944a"))
    s.set(
        Emission_Strength=s.math("MULTIPLY", strength, s.math("SUBTRACT", 1.0, s.math("MULTIPLY", edge, 0.6)))
    )
    return s.material


def shade_cloth(colour: str, light: str, strength: float, low: float, high: float) -> bpy.types.Material:
    """A lampshade with the lamp on: woven, brightest at its lower edge, z = `low`."""
    s = Shader("shade cloth", colour, Roughness=0.9, Sheen_Weight=0.3)
    threads = s.noise(30, detail=4, at=s.stretched((1, 1, 6)))
    s.bump(threads, 0.25, 0.01)
    fade = s.node("MapRange", Value=s.height(), From_Min=low, From_Max=high, To_Min=1.0, To_Max=0.1).outputs[
        0
    ]
    lit = s.math("MULTIPLY", s.math("ADD", 0.7, s.math("MULTIPLY", threads, 0.6)), fade)
    s.set(Emission_Color=linear(light), Emission_Strength=s.math("MULTIPLY", lit, strength))
    return s.material
