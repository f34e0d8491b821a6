"""Figures show the numbers of the summary, and the report states them."""

import io
import re
from typing import Any

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.container import BarContainer
from matplotlib.figure import Figure
from numpy.typing import NDArray

from dptools.errors import UsageError
from dptools.evaluation import figures, fit_figures
from dptools.evaluation.figure_options import STYLE_NAMES, FigureOptions
from dptools.evaluation.gallery import DEFAULT_OPTIONS, MAX_GROUPS, Drawing, gallery, render
from dptools.evaluation.image_rows import draw_maps, image_row
from dptools.evaluation.learning_curves import learning_curves
from dptools.evaluation.plotting import BLUE, ORANGE, SKY, style_context
from dptools.evaluation.report import report
from dptools.evaluation.summary import Summary


def record(attack: str | None, rank: int, method: str = "dip", step: int = 50, **more: Any) -> dict[str, Any]:
    attacked = {"name": attack, "success": True, "clean_rank": 1, "adversarial_rank": 2} if attack else None
    stop = {"criterion": "plateau", "step": step, "reason": "true label found"}
    return {
        "id": f"a.jpg@{attack}",
        "path": "purified.png",
        "source": "clean.jpg",
        "label": 1,
        **({"attack": attacked} if attacked else {}),
        "denoise": {"method": method, **({"stop": stop} if method == "dip" else {"passes": 1})},
        "classify": {"model": "m", "top": [{"index": 1, "name": "eagle $", "p": 0.75}], "label_rank": rank},
        "stages": [{"tool": "dp-denoise", "version": "0", "seconds": 2.0 if method == "dip" else 0.5}],
        **more,
    }


RECORDS = [
    *[record("gs", rank) for rank in (1, 1, 3, 9)],
    *[record("cw", 1, step=step) for step in (50, 100, 100, 450)],
    *[record(None, rank) for rank in (1, 9)],
    *[record("gs", 1, "denoiser") for _ in range(3)],
    record(None, 1, "denoiser"),
]
TRACE = [
    {"id": name, "attack": "gs", "iteration": 50 * number, "label_rank": rank}
    for name, ranks in (("a", (9, 1, 9)), ("b", (9, 9, 1)), ("c", (9, 9, 9)))
    for number, rank in enumerate(ranks, start=1)
]


def summarise(records: list[dict[str, Any]] = RECORDS, **more: Any) -> Summary:
    summary = Summary(**more)
    summary.read(records)
    return summary


def bars(figure: Figure) -> dict[str, list[float]]:
    """Return the lengths of the bars by their label."""
    (axes,) = figure.axes
    containers = [container for container in axes.containers if isinstance(container, BarContainer)]
    return {str(container.get_label()): [bar.get_width() for bar in container] for container in containers}


def drawings(summary: Summary, options: FigureOptions = DEFAULT_OPTIONS) -> dict[str, Drawing]:
    return {drawing.name: drawing for drawing in gallery(summary, read_image, options)}


def rendered(drawing: Drawing, file_format: str) -> bytes:
    stream = io.BytesIO()
    render(drawing, stream, file_format)
    return stream.getvalue()


def read_image(path: str) -> NDArray[np.uint8] | None:
    values = {"clean.jpg": 100, "attacked.png": 103, "purified.png": 101}
    return np.full((32, 32, 3), values[path], np.uint8) if path in values else None


def test_accuracies_are_bars_in_per_cent_with_their_intervals() -> None:
    groups = summarise().all_groups
    assert bars(figures.accuracy(groups)) == {
        "top-1": pytest.approx([50, 100, 50, 75, 100, 100]),  # dip: gs, cw, none and all; denoiser: gs and none
        "top-5": pytest.approx([75, 100, 50, 87.5, 100, 100]),
    }
    figure = figures.accuracy(groups[1:2])
    errors = figure.axes[0].collections[0]
    low, high = errors.get_segments()[0][:, 0]
    assert (low, high) == pytest.approx((100 * groups[1].rate("after_top1").low, 100))


def test_termination_shows_a_histogram_of_fits_for_each_group() -> None:
    groups = summarise().all_groups[:2]
    panels = fit_figures.termination(groups).axes
    assert [axes.get_title() for axes in panels] == ["dip plateau: gs: 4 fits", "dip plateau: cw: 4 fits"]
    (container,) = panels[1].containers
    assert isinstance(container, BarContainer)
    bins = [(bar.get_x() + bar.get_width(), bar.get_height()) for bar in container]
    assert bins == [(50, 1), (100, 2), (450, 1)]


def test_errors_and_accuracy_by_iteration_show_the_learning_curves() -> None:
    curves = learning_curves(TRACE)
    third = pytest.approx([100 / 3])
    assert bars(fit_figures.errors(curves)) == {"over-fit": third, "under-fit": third}
    lines = fit_figures.accuracy_by_iteration(curves[-1]).axes[0].lines
    assert list(lines[0].get_xdata()) == [50, 100, 150]
    assert list(lines[1].get_ydata()) == pytest.approx([0, 100 / 3, 100 / 3])


def test_methods_are_shown_with_the_results_of_the_paper() -> None:
    figure = figures.methods(summarise().methods)
    lengths = bars(figure)
    assert lengths["clean"] == pytest.approx([50, 100])
    assert lengths["attacked"] == pytest.approx([75, 100])
    hatched = [patch.get_width() for patch in figure.axes[0].patches if patch.get_hatch() and patch.get_width()]
    assert hatched == [69.0, 71.2]
    assert group_names(figure) == ["dip plateau", "denoiser", "paper, resnet18"]
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["clean", "attacked", "published"]


def test_a_colour_that_the_legend_does_not_explain_is_not_drawn() -> None:
    figure = figures.methods(summarise([record("gs", 1), record("gs", 1, "denoiser")]).methods)
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["attacked", "published"]
    hatched = [patch for patch in figure.axes[0].patches if patch.get_hatch() and patch.get_width()]
    assert [(patch.get_width(), patch.get_y() + patch.get_height() / 2) for patch in hatched] == [(71.2, 2)]


def test_results_of_the_literature_can_be_left_out() -> None:
    figure = drawings(summarise(), FigureOptions(published=False))["methods"].figure
    assert group_names(figure) == ["dip plateau", "denoiser"]
    assert not any(patch.get_hatch() for patch in figure.axes[0].patches)


def group_names(figure: Figure) -> list[str]:
    return [label.get_text() for label in figure.axes[0].get_yticklabels()]


def test_bars_are_centred_on_the_name_of_their_group_also_if_one_is_missing() -> None:
    foreign = {"id": "a", "label": 1, "classify": {"top": [{"index": 1}]}}  # says nothing about the first five
    summary = summarise([record("gs", 1), foreign])
    (axes,) = figures.accuracy(summary.all_groups).axes
    middles: dict[int, list[float]] = {}
    for bar in axes.patches:
        middles.setdefault(round(bar.get_y() + bar.get_height() / 2), []).append(bar.get_y() + bar.get_height() / 2)
    assert {group: sum(places) / len(places) for group, places in middles.items()} == pytest.approx({0: 0, 1: 1})
    assert [len(places) for places in middles.values()] == [2, 1]


def test_a_chart_of_one_series_has_no_legend_and_of_two_has_one() -> None:
    foreign = [{"id": "a", "label": 1, "classify": {"top": [{"index": 1}]}}]
    assert not figures.accuracy(summarise(foreign).all_groups).legends
    (legend,) = figures.accuracy(summarise().all_groups).legends
    assert [text.get_text() for text in legend.get_texts()] == ["top-1", "top-5"]


@pytest.mark.parametrize("style", STYLE_NAMES)
def test_the_text_of_svg_and_pdf_is_text(style: str) -> None:
    drawing = drawings(summarise(), FigureOptions(style=style))["methods"]
    svg = rendered(drawing, "svg").decode()
    assert re.search(r"<text[^>]*>denoiser</text>", svg)
    assert ("STIXGeneral" in svg) == (style == "paper")
    assert b"/Type /Font" in (pdf := rendered(drawing, "pdf"))
    assert b"/Type3" not in pdf


def test_the_style_paper_is_one_column_wide() -> None:
    drawn = drawings(summarise(), FigureOptions(style="paper"))
    assert {round(drawing.figure.get_figwidth(), 2) for drawing in drawn.values()} == {3.35}


@pytest.mark.parametrize(("first", "second"), [(BLUE, ORANGE), (BLUE, SKY)])
def test_the_two_series_of_a_bar_chart_differ_in_grey(first: str, second: str) -> None:
    light, dark = sorted((luminance(first), luminance(second)), reverse=True)
    assert (light + 0.05) / (dark + 0.05) > 2


def luminance(colour: str) -> float:
    """Return the relative luminance of WCAG 2."""
    parts = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in to_rgb(colour)]
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]


def test_bars_have_an_outline_with_enough_contrast() -> None:
    """WCAG 2.2 asks for a ratio of 3 between a graphic and its ground, which is white."""
    figure = figures.methods(summarise().methods, published=False)
    for patch in figure.axes[0].patches:
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in patch.get_edgecolor()[:3]]
        luminance = float(np.dot(linear, (0.2126, 0.7152, 0.0722)))
        assert 1.05 / (luminance + 0.05) >= 3
        assert patch.get_linewidth() > 0


def test_unknown_styles_and_formats_are_refused() -> None:
    with pytest.raises(UsageError, match="unknown figure style 'latex': choose screen, paper"):
        FigureOptions(style="latex")
    with pytest.raises(UsageError, match="unknown figure format 'eps': choose png, svg, pdf"):
        FigureOptions(formats=("eps",))


def test_images_that_cannot_be_read_give_no_figure() -> None:
    gone = [record("gs", 1, path="gone.png", source="gone.jpg")]
    assert "images" not in drawings(summarise(gone))


def test_speed_shows_a_point_for_each_method() -> None:
    (axes,) = figures.speed(summarise().methods).axes
    assert {text.get_text() for text in axes.texts} == {"dip plateau", "denoiser"}
    points = [(line.get_xdata()[0], line.get_ydata()[0]) for line in axes.lines if line.get_marker() == "o"]
    assert points == [(2.0, 75.0), (0.5, 100.0)]


def test_an_image_row_shows_the_perturbation_and_the_predicted_classes() -> None:
    before = {"id": "x", "path": "attacked.png", "classify": {"top": [{"index": 7, "name": "kite", "p": 0.5}]}}
    after = record("gs", 1)
    after["attack"] |= {"clean_label": 1, "clean_p": 0.9, "adversarial_label": 7, "adversarial_p": 0.5}
    after["attack"]["norms"] = {"l2": 0.25, "linf_255": 3}
    clean, attacked, difference, purified = image_row(after, before, read_image)
    assert [panel.caption for panel in (clean, attacked, purified)] == ["eagle $  90 %", "kite  50 %", "eagle $  75 %"]
    assert difference.pixels is not None
    assert (difference.pixels == 128 + 10 * 3).all()
    assert "3/255" in difference.caption


def test_a_difference_that_contradicts_the_recorded_norm_is_not_shown() -> None:
    after = record("gs", 1)
    after["attack"]["norms"] = {"l2": 0.25, "linf_255": 90}
    _, attacked, difference, _ = image_row(after, {"path": "attacked.png"}, read_image)
    assert attacked.pixels is not None
    assert difference.pixels is None


@pytest.mark.parametrize("norm", [1e308, 10**308, -1e308])
def test_a_difference_with_an_impossible_norm_is_not_shown(norm: float) -> None:
    after = record("gs", 1)
    after["attack"]["norms"] = {"l2": norm, "linf_255": norm}
    _, _, difference, _ = image_row(after, {"path": "attacked.png"}, read_image)
    assert difference.pixels is None
    assert "1e+308" in difference.caption


def test_texts_are_printable_and_shortened() -> None:
    clean, *_ = image_row(record("gs", 1, label="\ud800\n"), None, read_image)
    assert clean.caption == r"class \ud800\n"
    pixels = np.zeros((9, 9, 3), np.uint8)
    figure = draw_maps([("\x1b$" + "x" * 10**6, pixels, pixels)])
    title = figure.axes[1].get_title()
    assert title.startswith(r"text mask by \x1b\$xxx")
    assert len(title) < 60


def test_a_figure_shows_a_limited_number_of_groups_and_states_it() -> None:
    summary = summarise([record(f"a{number}", 1, "denoiser") for number in range(600)])
    accuracy = drawings(summary)["accuracy"]
    names = group_names(accuracy.figure)
    assert (len(names), names[0], names[-1]) == (MAX_GROUPS, "a0", "all")
    assert accuracy.caption.endswith("; 24 of 601")
    summary = summarise([record("gs", 1, f"m{number}") for number in range(600)])
    assert len(drawings(summary)["methods"].figure.axes[0].get_yticks()) == MAX_GROUPS + 1  # and the paper


def test_every_roc_curve_is_in_the_legend() -> None:
    (axes,) = figures.roc({"_a": [(0, 0), (1, 1)], "": [(0, 0), (1, 1)]}).axes
    legend = axes.get_legend()
    assert legend is not None
    assert [text.get_text().strip() for text in legend.get_texts()] == ["_a", ""]


@pytest.mark.parametrize("style", STYLE_NAMES)
def test_curves_of_many_attacks_can_be_told_apart(style: str) -> None:
    """The Deep Protection paper has eight."""
    with style_context(style):
        (axes,) = figures.roc({str(number): [(0, 0), (1, 1)] for number in range(8)}).axes
    assert len({(line.get_color(), line.get_linestyle()) for line in axes.lines}) == 8


def test_traces_without_a_common_iteration_give_no_curve() -> None:
    """An accuracy of 0 after 0 iterations would be wrong."""
    curves = learning_curves({"id": str(step), "iteration": step, "label_rank": 1} for step in (50, 60))
    assert "course" not in drawings(summarise(curves=curves))


def test_the_gallery_has_the_figures_that_there_are_data_for() -> None:
    before = {
        f"a.jpg@{attack}": {"id": "x", "path": "attacked.png", "classify": RECORDS[0]["classify"]}
        for attack in ("gs", "cw")
    }
    summary = summarise(curves=learning_curves(TRACE), attacked=before)
    names = [drawing.name for drawing in gallery(summary, read_image)]
    assert names == ["accuracy", "methods", "speed", "termination", "errors", "course", "probabilities", "images"]
    assert [drawing.name for drawing in gallery(Summary(), read_image)] == []


def test_only_fits_are_called_a_deep_image_prior() -> None:
    fitted = [each for each in RECORDS if each["denoise"]["method"] == "dip"]
    captions = {drawing.name: drawing.caption for drawing in gallery(summarise(fitted), read_image)}
    assert "deep image prior" in captions["termination"]
    others = [each for each in RECORDS if each["denoise"]["method"] != "dip"]
    summary = summarise(others)
    html = report(summary, gallery(summary, read_image))
    assert "deep image prior" not in html.lower()
    assert "fits" not in re.sub(r'"data:[^"]*"', "", html)


def test_classes_of_a_service_are_shown_by_their_own_names() -> None:
    """The concepts of a service have a name and a probability, and no index."""
    predictions = {
        "model": "clarifai:m",
        "top": [{"name": "bird <i>", "p": 0.9}, {"index": 1, "name": "eagle", "p": 0.6}],
    }
    after = {**record("gs", 2), "classify": predictions}
    before = {"id": "x", "path": "attacked.png", "classify": predictions}
    _, _, _, purified = image_row(after, before, read_image)
    assert purified.caption == "bird <i>  90 %"
    summary = summarise([after], attacked={after["id"]: before})
    (drawing,) = (drawing for drawing in gallery(summary, read_image) if drawing.name == "probabilities")
    axes = drawing.figure.axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["bird <i>", "eagle"]


def test_equal_figures_give_equal_files() -> None:
    for file_format in ("svg", "pdf"):
        first, second = ([rendered(each, file_format) for each in drawings(summarise()).values()] for _ in range(2))
        assert first == second
