"""The photo studio that made the sample catalogue: every product is modelled and lit by code.

Needs Blender as a Python module, which the project itself does not depend on. In an environment of
its own (Python 3.11), from the root of a checkout:

    pip install bpy
    python -m personalize.sample.scenes personalize/sample          # renders what is missing
    python -m personalize.sample.scenes /tmp/look --preview --only mug

A picture takes less than a minute on two cores. `studio` holds lamps, camera and render settings,
`backdrops` what stands behind, `materials` and `geometry` what products are made of, `catalogue` the
list; each remaining file is one family of products. Nothing is downloaded, and every draw of chance
is seeded.
"""

from importlib import import_module

FAMILIES = ("mugs", "bottles", "vases", "teapots", "lamps", "chairs", "headphones", "clocks")

for _family in FAMILIES:
    import_module(f".{_family}", __name__)
