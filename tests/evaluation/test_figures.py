"""Figures hold the numbers that they are drawn of, and the report says them."""

import io
import re
from typing import Any

import numpy as np
import pytest
from matplotlib.container import BarContainer
from matplotlib.figure import Figure
from numpy.typing import NDArray

from dptools.evaluation import figures
from dptools.evaluation.gallery import MOST, gallery, render
from dptools.evaluation.learning_curves import follow
from dptools.evaluation.report import report
from dptools.evaluation.strips import maps, strip
from dptools.evaluation.summary import Summary


def record(attack: str | None, rank: int, preset: str = "cold", step: int = 50, **more: Any) -> dict[str, Any]:
    rule = "plateau" if preset == "cold" else "fixed:8"
    tried = {"name": attack, "success": True, "clean_rank": 1, "adversarial_rank": 2} if attack else None
    stop = {"rule": rule, "step": step, "reason": "true label found"}
    return {
        "id": f"a.jpg@{attack}",
        "path": "restored.png",
        "source": "clean.jpg",
        "label": 1,
        **({"attack": tried} if tried else {}),
        "denoise": {"method": "dip", "preset": preset, "stop": stop},
        "classify": {"model": "m", "top": [{"index": 1, "name": "eagle $", "p": 0.75}], "label_rank": rank},
        "stages": [{"tool": "dp-denoise", "version": "0", "seconds": 2.0 if preset == "cold" else 0.5}],
        **more,
    }


RECORDS = [
    *[record("gs", rank) for rank in (1, 1, 3, 9)],
    *[record("cw", 1, step=step) for step in (50, 100, 100, 450)],
    *[record(None, rank) for rank in (1, 9)],
    *[record("gs", 1, "default") for _ in range(3)],
    record(None, 1, "default"),
]
TRACE = [
    {"id": name, "attack": "gs", "iteration": 50 * number, "label_rank": rank}
    for name, ranks in (("a", (9, 1, 9)), ("b", (9, 9, 1)), ("c", (9, 9, 9)))
    for number, rank in enumerate(ranks, start=1)
]


def summary(**more: Any) -> Summary:
    found = Summary(**more)
    found.read(RECORDS)
    return found


def bars(figure: Figure) -> dict[str, list[float]]:
    (axes,) = figure.axes
    found = [each for each in axes.containers if isinstance(each, BarContainer)]
    return {str(each.get_label()): [patch.get_height() for patch in each] for each in found}


def test_accuracies_are_bars_in_per_cent_with_their_intervals() -> None:
    groups = summary().all_groups
    drawn = bars(figures.accuracy(groups))
    assert drawn == {
        "top-1": pytest.approx([500 / 7, 100, 200 / 3, 900 / 11]),
        "top-5": pytest.approx([600 / 7, 100, 200 / 3, 1000 / 11]),
    }
    figure = figures.accuracy(groups[1:2])
    errors = figure.axes[0].collections[0]
    low, high = errors.get_segments()[0][:, 1]
    assert (low, high) == pytest.approx((100 * groups[1].rate("after_top1").low, 100))


def test_termination_is_a_histogram_a_group() -> None:
    groups = summary().all_groups[:2]
    panels = figures.termination(groups).axes
    assert [axes.get_title() for axes in panels] == ["gs: 7 fits", "cw: 4 fits"]
    (container,) = panels[1].containers
    assert isinstance(container, BarContainer)
    found = [(patch.get_x() + patch.get_width(), patch.get_height()) for patch in container]
    assert found == [(50, 1), (100, 2), (450, 1)]


def test_errors_and_the_course_of_fits() -> None:
    courses = follow(TRACE)
    third = pytest.approx([100 / 3])
    assert bars(figures.errors(courses)) == {"over-fit": third, "under-fit": third}
    lines = figures.course(courses).axes[0].lines
    assert list(lines[0].get_xdata()) == [50, 100, 150]
    assert list(lines[1].get_ydata()) == pytest.approx([0, 100 / 3, 100 / 3])


def test_methods_stand_beside_the_papers_own_figures() -> None:
    drawn = bars(figures.methods(summary().methods))
    assert drawn["clean"] == pytest.approx([50, 100])
    assert drawn["attacked"] == pytest.approx([75, 100])
    assert drawn["published (resnet18)"] == [69.0, 71.2]


def test_accuracy_against_seconds_has_a_point_a_method() -> None:
    (axes,) = figures.speed(summary().methods).axes
    assert {text.get_text() for text in axes.texts} == {"cold plateau", "default fixed:8"}
    points = [(line.get_xdata()[0], line.get_ydata()[0]) for line in axes.lines if line.get_marker() == "o"]
    assert points == [(2.0, 75.0), (0.5, 100.0)]


def noise(path: str) -> NDArray[np.uint8] | None:
    images = {"clean.jpg": 100, "attacked.png": 103, "restored.png": 101}
    return np.full((32, 32, 3), images[path], np.uint8) if path in images else None


def test_a_strip_shows_what_was_added_and_what_was_seen() -> None:
    before = {"id": "x", "path": "attacked.png", "classify": {"top": [{"index": 7, "name": "kite", "p": 0.5}]}}
    shown = record("gs", 1)
    shown["attack"] |= {"clean_label": 1, "clean_p": 0.9, "adversarial_label": 7, "adversarial_p": 0.5}
    shown["attack"]["norms"] = {"l2": 0.25, "linf_255": 3}
    clean, attacked, added, restored = strip(shown, before, noise)
    assert [panel.caption for panel in (clean, attacked, restored)] == ["eagle $  90 %", "kite  50 %", "eagle $  75 %"]
    assert added.pixels is not None
    assert (added.pixels == 128 + 10 * 3).all()
    assert "3/255" in added.caption


def test_a_difference_that_is_not_the_perturbation_is_not_shown() -> None:
    shown = record("gs", 1)
    shown["attack"]["norms"] = {"l2": 0.25, "linf_255": 90}
    _, attacked, added, _ = strip(shown, {"path": "attacked.png"}, noise)
    assert attacked.pixels is not None
    assert added.pixels is None


@pytest.mark.parametrize("norm", [1e308, 10**308, -1e308])
def test_norms_that_no_image_has_are_not_those_of_the_difference(norm: float) -> None:
    shown = record("gs", 1)
    shown["attack"]["norms"] = {"l2": norm, "linf_255": norm}
    _, _, added, _ = strip(shown, {"path": "attacked.png"}, noise)
    assert added.pixels is None
    assert "1e+308" in added.caption


def test_texts_are_drawn_on_one_line_and_cut() -> None:
    shown = record("gs", 1, label="\ud800\n")
    clean, *_ = strip(shown, None, noise)
    assert clean.caption == r"class \ud800\n"
    pixels = np.zeros((9, 9, 3), np.uint8)
    figure = maps([("\x1b$" + "x" * 10**6, pixels, pixels)])
    title = figure.axes[1].get_title()
    assert title.startswith(r"text, by the rule \x1b\$xxx")
    assert len(title) < 60


def test_a_figure_has_room_for_so_many_groups_and_says_so() -> None:
    found = Summary()
    found.read([record(f"a{number}", 1, f"p{number}") for number in range(600)])
    drawings = {drawing.name: drawing for drawing in gallery(found, noise)}
    accuracy = drawings["accuracy"]
    names = [label.get_text() for label in accuracy.figure.axes[0].get_xticklabels()]
    assert (len(names), names[0], names[-1]) == (MOST, "a0", "all")
    assert accuracy.caption.endswith("; 24 of 601")
    assert len(drawings["methods"].figure.axes[0].get_xticks()) == MOST + 1  # and the paper's


def test_every_curve_has_its_name_in_the_legend() -> None:
    (axes,) = figures.roc({"_a": [(0, 0), (1, 1)], "": [(0, 0), (1, 1)]}).axes
    legend = axes.get_legend()
    assert legend is not None
    assert [text.get_text().strip() for text in legend.get_texts()] == ["_a", ""]


def test_the_gallery_has_what_there_are_figures_for() -> None:
    before = {
        f"a.jpg@{attack}": {"id": "x", "path": "attacked.png", "classify": RECORDS[0]["classify"]}
        for attack in ("gs", "cw")
    }
    found = summary(courses=follow(TRACE), attacked=before)
    names = [drawing.name for drawing in gallery(found, noise)]
    assert names == ["accuracy", "methods", "speed", "termination", "errors", "course", "probabilities", "images"]
    assert [drawing.name for drawing in gallery(Summary(), noise)] == []


def test_what_a_service_sees_is_drawn_by_its_own_names() -> None:
    """Concepts that are no class have a name and a probability, and no index."""
    seen = {"model": "clarifai:m", "top": [{"name": "bird <i>", "p": 0.9}, {"index": 1, "name": "eagle", "p": 0.6}]}
    shown = {**record("gs", 2), "classify": seen}
    _, _, _, restored = strip(shown, {"path": "attacked.png", "classify": seen}, noise)
    assert restored.caption == "bird <i>  90 %"
    found = Summary(attacked={shown["id"]: {"id": "x", "path": "attacked.png", "classify": seen}})
    found.read([shown])
    (drawing,) = (each for each in gallery(found, noise) if each.name == "probabilities")
    axes = drawing.figure.axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["bird <i>", "eagle"]


def test_equal_figures_are_equal_files() -> None:
    def drawn(form: str) -> list[bytes]:
        streams = []
        for drawing in gallery(summary(), noise):
            streams.append(io.BytesIO())
            render(drawing, streams[-1], form)
        return [stream.getvalue() for stream in streams]

    assert drawn("svg") == drawn("svg")


def test_the_report_stands_alone_and_says_the_figures() -> None:
    found = summary(by="method", courses=follow(TRACE))
    found.read([{"id": "<script>alert(1)</script>", "attack": {"name": "<b>mine</b>", "success": True}}])
    html = report(found, gallery(found, noise))
    assert "Of 2 methods, default fixed:8 brings most back: 100 [44-100] % of 3 attacked images" in html
    assert "97.4 (n = 584)" in html
    assert "<b>mine" not in html
    assert not re.findall(r"""(?:src|href)=["'](?!data:)""", html)
    assert html.count("<img ") == len(list(gallery(found, noise)))
