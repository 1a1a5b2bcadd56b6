"""The graph as a picture and as text: plates nest, every name is escaped, nothing overlaps."""

from __future__ import annotations

import json
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

import ppl
from ppl.report import diagram, diagram_text, layers, svg
from tests.conftest import MODELS
from tests.test_good_models import PROGRAMS, conditioned

SVG = "{http://www.w3.org/2000/svg}"
NESTED = """
mu ~ Normal(0, 1)
a[M] ~ Normal(mu, 1)
b[M, K] ~ Normal(0, 1)
c[K] ~ Normal(0, 1)
y ~ Normal(a + b[1, 1] + c[1], 1)
factor -c[1]^2
"""


def nested() -> diagram.Diagram:
    data = {"y": [1.0, 2.0, 3.0], "M": 3, "K": 2}
    return diagram.of_model(ppl.api.from_text(NESTED, "nested.ppl").condition(data).model)


def of_text(text: str, **data: object) -> diagram.Diagram:
    return diagram.of_model(ppl.api.from_text(text).condition(data).model)


def inside(inner: layers.Box, outer: layers.Box) -> bool:
    return (
        outer.x <= inner.x
        and outer.y <= inner.y
        and inner.x + inner.width <= outer.x + outer.width
        and inner.y + inner.height <= outer.y + outer.height
    )


def apart(one: layers.Box, other: layers.Box) -> bool:
    return (
        one.x + one.width <= other.x
        or other.x + other.width <= one.x
        or one.y + one.height <= other.y
        or other.y + other.height <= one.y
    )


def test_plates_nest() -> None:
    whole = nested().whole
    assert {node.name for node in whole.nodes} >= {"mu", "M", "K"}
    plates = {plate.label: plate for plate in whole.plates}
    assert [node.name for node in plates["M (3)"].nodes] == ["a"]
    assert [(plate.label, plate.nodes[0].name) for plate in plates["M (3)"].plates] == [("K (2)", "b")]
    assert [node.name for node in plates["K (2)"].nodes] == ["c"]
    found = json.loads(diagram_text.as_json(nested()))["plates"]
    outer = next(plate for plate in found if plate["axis"] == "M (3)")
    assert outer["plates"] == [{"axis": "K (2)", "nodes": ["b"], "plates": []}]


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda path: path.stem)
def test_layout_keeps_things_apart(program: Path) -> None:
    """No two nodes overlap; a node lies inside its own plates and outside all others; all lies inside the picture."""
    drawn = diagram.of_model(conditioned(program).model)
    layout = layers.lay_out(drawn)
    boxes = list(layout.nodes.values())
    assert all(apart(one, other) for i, one in enumerate(boxes) for other in boxes[:i])
    page = layers.Box(0, 0, layout.width, layout.height)
    assert all(inside(box, page) for box in [*boxes, *(box for _, box in layout.plates)])
    for plate, box in layout.plates:
        own = {node.name for node in plate.everything()}
        for name, place in layout.nodes.items():
            assert inside(place, box) if name in own else apart(place, box), (name, plate.label)


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda path: path.stem)
def test_every_format_shows_all_nodes_and_edges(program: Path) -> None:
    model = conditioned(program).model
    drawn = diagram.of_model(model)
    root = ElementTree.fromstring(svg.as_svg(drawn))
    assert len(root.findall(f"{SVG}path[@class='edge']")) == model.graph.number_of_edges()
    titles = [title.text or "" for group in root.findall(f"{SVG}g") for title in group.findall(f"{SVG}title")]
    assert sorted(title.split(": ")[-1] for title in titles) == sorted(r for _, r in model.graph.nodes(data="role"))
    assert diagram_text.as_dot(drawn).count(" -> ") == model.graph.number_of_edges()
    assert diagram_text.as_mermaid(drawn).count(" --> ") == model.graph.number_of_edges()
    found = json.loads(diagram_text.as_json(drawn))
    assert {node["name"] for node in found["nodes"]} == set(model.graph)
    assert {tuple(edge) for edge in found["edges"]} == set(model.graph.edges)


def test_observed_is_shaded_and_families_are_shown() -> None:
    root = ElementTree.fromstring(svg.as_svg(nested()))
    shapes = {
        (group.find(f"{SVG}title").text or "").split(":")[0]: group.find(f"{SVG}ellipse")  # type: ignore[union-attr]
        for group in root.findall(f"{SVG}g")
        if group.find(f"{SVG}title") is not None
    }
    y, mu = shapes["y ~ Normal"], shapes["mu ~ Normal"]
    assert y is not None and "observed" in y.attrib["class"]
    assert mu is not None and "observed" not in mu.attrib["class"]
    style = root.find(f"{SVG}style")
    assert style is not None and ".observed { fill: #d0d0d0 }" in (style.text or "")
    assert 'fillcolor="#d0d0d0"' in next(x for x in diagram_text.as_dot(nested()).splitlines() if '"y"' in x)


WEIRD = "<b>&\"'\\]];end--> %%"


def test_names_are_escaped_everywhere() -> None:
    drawn = of_text(f"`{WEIRD}` ~ Normal(0, 1)\ny ~ Normal(`{WEIRD}`, 1)", y=[1.0, 2.0])
    root = ElementTree.fromstring(svg.as_svg(drawn))
    texts = [text.text for text in root.iter(f"{SVG}text")]
    assert WEIRD in texts
    assert json.loads(diagram_text.as_json(drawn))["edges"] == [[WEIRD, "y"]]
    dot = diagram_text.as_dot(drawn)
    quoted = re.findall(r'"((?:[^"\\]|\\.)*)"', dot)
    assert WEIRD in [re.sub(r"\\(.)", r"\1", text) for text in quoted]
    assert not re.sub(r'"(?:[^"\\]|\\.)*"', "", dot).count("<b>")
    (label,) = re.findall(r'n1\(\["(.*?)<br/>', diagram_text.as_mermaid(drawn))
    assert not set(label) & set("<>\"`;\\'") - {";"}
    assert re.sub(r"#(\d+);", lambda match: chr(int(match.group(1))), label) == WEIRD


def test_long_names_are_cut_in_the_picture_and_whole_as_tooltip() -> None:
    long = "x" * 80
    drawn = of_text(f"{long} ~ Normal(0, 1)\ny ~ Normal({long}, 1)", y=[1.0, 2.0])
    picture = svg.as_svg(drawn)
    assert f"<title>{long} ~ Normal: latent</title>" in picture
    assert f">{'x' * (layers.LONGEST - 1)}\u2026</text>" in picture


def test_names_that_refer_to_each_others_past() -> None:
    text = """
    phi ~ Normal(0, 1)
    nu[1] = phi
    err[1] = y[1] - nu[1]
    for t in 2..3 { nu[t] = phi*err[t-1]; err[t] = y[t] - nu[t] }
    y ~ Normal(nu, 1)
    """
    drawn = of_text(text, y=[1.0, 2.0, 3.0])
    assert {("nu", "err"), ("err", "nu")} <= set(drawn.edges)
    ElementTree.fromstring(svg.as_svg(drawn))


def test_without_data() -> None:
    drawn = diagram.of_names(ppl.load(MODELS / "eight_schools.ppl").names)
    roles = {node.name: node.role for node in drawn.nodes}
    assert roles["theta_raw"] == "random"
    assert roles["theta"] == "derived"
    assert roles["sigma"] == "data"
    assert ("theta", "y") in drawn.edges
    assert next(node for node in drawn.nodes if node.name == "theta_raw").axes == ("school",)


def test_text_is_the_same_each_time() -> None:
    for write in (diagram_text.as_dot, diagram_text.as_mermaid, diagram_text.as_json, svg.as_svg):
        assert write(nested()) == write(nested())
