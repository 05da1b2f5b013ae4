"""A node tree that reads as a formula: the tool the materials are made with."""

from collections.abc import Sequence
from typing import Any

import bpy

Socket = bpy.types.NodeSocket


def linear(colour: str) -> tuple[float, float, float, float]:
    """An sRGB hex string as linear RGBA."""
    channels = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    r, g, b = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return r, g, b, 1.0


class Shader:
    """A material under construction: a principled surface and whatever feeds it."""

    def __init__(self, name: str, colour: str = "#808080", **principled: Any) -> None:
        self.material = bpy.data.materials.new(name)
        self.material.use_nodes = True
        self.tree = self.material.node_tree
        self.tree.nodes.clear()
        self.surface = self.node("BsdfPrincipled", Base_Color=linear(colour), **principled)
        self.output = self.node("OutputMaterial", Surface=self.surface.outputs[0])
        self.position = self.node("TexCoord").outputs["Object"]

    def node(self, kind: str, attributes: dict[str, Any] | None = None, /, **inputs: Any) -> bpy.types.Node:
        """A node whose inputs are constants or other nodes' sockets; `_` stands for a space."""
        node = self.tree.nodes.new(f"ShaderNode{kind}")
        for key, value in (attributes or {}).items():
            setattr(node, key, value)
        for key, value in inputs.items():
            self.feed(node.inputs[key.replace("_", " ")], value)
        return node

    def feed(self, socket: Socket, value: Any) -> None:
        if isinstance(value, Socket):
            self.tree.links.new(value, socket)
        else:
            socket.default_value = value

    def set(self, **inputs: Any) -> None:
        for key, value in inputs.items():
            self.feed(self.surface.inputs[key.replace("_", " ")], value)

    def stretched(self, scale: Sequence[float]) -> Socket:
        return self.node("Mapping", Vector=self.position, Scale=scale).outputs[0]

    def noise(
        self, scale: float, *, detail: float = 3.0, at: Socket | None = None, distortion: float = 0.0
    ) -> Socket:
        return self.node(
            "TexNoise", Vector=at or self.position, Scale=scale, Detail=detail, Distortion=distortion
        ).outputs[0]

    def ramp(self, value: Socket, stops: Sequence[tuple[float, str]]) -> Socket:
        """A colour for every value, linear between the stops."""
        node = self.node("ValToRGB", Fac=value)
        elements = node.color_ramp.elements
        for i, (at, colour) in enumerate(stops):
            element = elements[i] if i < 2 else elements.new(at)
            element.position, element.color = at, linear(colour)
        return node.outputs[0]

    def step(self, value: Socket, low: float, high: float) -> Socket:
        """0 below `low`, 1 above `high`, smooth between."""
        return self.node(
            "MapRange", {"interpolation_type": "SMOOTHSTEP"}, Value=value, From_Min=low, From_Max=high
        ).outputs[0]

    def math(self, operation: str, a: Socket | float, b: Socket | float = 0.0) -> Socket:
        node = self.node("Math", {"operation": operation})
        self.feed(node.inputs[0], a)
        self.feed(node.inputs[1], b)
        return node.outputs[0]

    def mix(self, factor: Socket | float, a: Socket | str, b: Socket | str) -> Socket:
        node = self.node("Mix", {"data_type": "RGBA"})
        for index, value in ((0, factor), (6, a), (7, b)):
            self.feed(node.inputs[index], linear(value) if isinstance(value, str) else value)
        return node.outputs[2]

    def height(self) -> Socket:
        return self.node("SeparateXYZ", Vector=self.position).outputs[2]

    def bump(self, height: Socket, strength: float, distance: float = 0.02) -> None:
        self.set(Normal=self.node("Bump", Height=height, Strength=strength, Distance=distance).outputs[0])
