"""The report states the result, what was measured, how certain it is and what is missing, for every reader."""

import base64
import re
from html.parser import HTMLParser
from typing import Any

import pytest
from evaluation.test_figures import RECORDS, TRACE, read_image, record, summarise
from evaluation.test_robustness import images

from dptools.attacks import PAPER
from dptools.evaluation.gallery import gallery
from dptools.evaluation.learning_curves import learning_curves
from dptools.evaluation.paired import Comparison
from dptools.evaluation.report import report
from dptools.evaluation.report_facts import facts, lead, title
from dptools.evaluation.summary import Summary

FAILED = {"id": "broken", "error": {"stage": "dp-attack", "type": "NotAnImage", "message": "not an image"}}


class Elements(HTMLParser):
    """The elements of a page, with their attributes, and the text of each by tag."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, list[str]] = {}
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self.texts.setdefault(tag, []).append("")

    def handle_data(self, data: str) -> None:
        if self.elements:
            self.texts[self.elements[-1][0]][-1] += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def page(summary: Summary, **options: bool) -> str:
    return report(summary, gallery(summary, read_image), **options)


def test_the_report_is_self_contained_and_states_the_results() -> None:
    summary = summarise(by="method", curves=learning_curves(TRACE))
    summary.read([{"id": "<script>alert(1)</script>", "attack": {"name": "<b>mine</b>", "success": True}}])
    html = report(summary, gallery(summary, read_image))
    assert "Of 2 methods, denoiser is the most accurate: 100 [21-100] % top-1 accuracy on 3 attacked images" in html
    assert "84 (n = 584)" in html
    assert "<b>mine" not in html
    assert not re.findall(r"""(?:src|href)=["'](?!data:|#)""", html)
    assert html.count("<img ") == len(gallery(summary, read_image))


@pytest.mark.parametrize("gate", [None, {"threshold": 0.95, "suspect": True, "method": "dip oracle"}])
def test_the_report_presents_no_method_that_uses_the_true_label_as_the_best(gate: dict[str, Any] | None) -> None:
    stop = {"criterion": "oracle", "step": 50, "reason": "true label found"}
    oracle = {"method": "dip", "stop": stop, **({"gate": gate} if gate else {})}
    best = [record("gs", 1, denoise=oracle) for _ in range(9)]
    assert "Purified by denoiser" in report(summarise([*best, record("gs", 1, "denoiser")]), [])


def test_the_first_screen_says_what_was_measured_on_how_many_images_how_certain_and_what_is_missing() -> None:
    known = dict(facts(summarise([*RECORDS, FAILED, {"id": "unlabelled", "classify": {"top": [{"index": 1}]}}])))
    assert known["Measured"].endswith("classifier m; methods dip plateau, denoiser; attacks gs, cw")
    assert known["Images"] == "2 different images in 15 records: 4 clean and 11 attacked"
    assert "95 % intervals" in known["Certainty"]
    assert known["Missing"].startswith("1 record failed; 1 record without a class or a true label; attacks by someone")


def test_predictions_of_another_program_are_not_called_purified() -> None:
    foreign = [{"id": str(n), "label": 1, "classify": {"top": [{"index": n}]}} for n in (1, 2)]
    summary = summarise(foreign)
    assert title(summary) == "Accuracy of image classification"
    assert dict(facts(summary))["Certainty"].endswith("The widest one of top-1 accuracy is ±41 points (n = 2)")
    assert lead(summary) == "50 [9-91] % top-1 accuracy on 2 clean images."
    assert "the programs, versions and seeds" in dict(facts(summary))["Missing"]
    assert "attacks by someone" not in dict(facts(summary))["Missing"]


def test_attacks_by_someone_who_knows_the_method_are_the_main_result() -> None:
    """Such records come from dp-attack alone: it classifies the clean image and the attacked one itself."""
    records = [*images(0.0, 0.9, 0.2, None), *images(0.5, epsilon=8 / 255)]
    summary = summarise(records)
    assert title(summary) == "Purification of adversarial images"
    assert lead(summary) == (
        "Against attackers who know the method: denoiser 25 [5-70] % top-1 on 4 images with a perturbation up to linf "
        "4/255, and 75 [30-95] % without an attack."
    )
    known = dict(facts(summary))
    assert "method denoiser" in known["Measured"]
    assert "±40 points" in known["Certainty"]
    assert not re.search("without a class|clean images|attacks by someone", known["Missing"])
    assert lead(summarise([*RECORDS, *records])).startswith("Of 2 methods, denoiser is the most accurate")
    assert "Against attackers who know the method: denoiser 25" in lead(summarise([*RECORDS, *records]))


def test_a_failed_record_does_not_hide_the_accuracy_of_purified_clean_images() -> None:
    assert lead(summarise([FAILED, record(None, 1, "denoiser")])) == "100 [21-100] % top-1 accuracy on 1 clean images."


def test_a_tie_and_a_higher_rate_of_fewer_images_are_not_hidden() -> None:
    def start(*ranks: tuple[str, int, int]) -> str:
        records = [
            record("gs", rank, method, source=f"{n} {rank}") for method, rank, count in ranks for n in range(count)
        ]
        return lead(summarise(records)).split(":")[0]

    assert start(("denoiser", 1, 9), ("jpeg", 9, 9)) == "Of 2 methods, denoiser is the most accurate"
    assert start(("denoiser", 1, 9), ("jpeg", 1, 9)) == "Of 2 methods, none has a higher lower bound than denoiser"
    many = (("denoiser", 1, 90), ("denoiser", 9, 10), ("jpeg", 1, 2))
    assert start(*many) == "Of 2 methods, none has a higher lower bound than denoiser"


def test_the_main_result_names_the_classifier_if_there_are_several() -> None:
    summary = summarise([*images(0.0), *images(1.0, 1.0, model="other")])
    first, second = lead(summary).split(";")
    assert "denoiser before efficientnet-lite0 0 [0-79] % top-1 on 1 images" in first
    assert second.startswith(" denoiser before other 100 [34-100] % top-1 on 2 images")


def test_records_in_no_pair_are_counted_and_explained() -> None:
    """A record can have a partner and still be in no pair: if one of the two results is unknown."""
    known, unknown = record("gs", 1, "denoiser"), {**record("gs", 1, "denoiser"), "classify": {}}
    html = page(summarise([known], comparisons=[Comparison.against([unknown])]))
    assert "Records in no pair, without a partner or with an unknown result: second: 1." in html


def test_a_failed_record_gives_no_row_of_dashes() -> None:
    rows = [
        re.findall(r"<t[hd][^>]*>([^<]*)", row) for row in re.findall(r"<tr>.*", page(summarise([*RECORDS, FAILED])))
    ]
    assert rows
    assert not [row for row in rows if set(row[1:]) <= {"-"}]


def test_a_failed_record_is_counted_beside_several_methods() -> None:
    summary = summarise([*RECORDS, FAILED])
    assert sum(group.counts["failed"] for group in summary.all_groups) == 1
    assert "failed: none 1" in page(summary)


def test_no_column_is_empty() -> None:
    foreign = [{"id": str(n), "label": 1, "classify": {"top": [{"index": n}]}} for n in (1, 2)]
    html = page(summarise(foreign))
    assert re.findall(r"<th scope=.col.>([^<]*)", html) == ["attack", "n", "top-1 after"]


def test_results_of_the_paper_are_shown_beside_comparable_ones_only() -> None:
    assert "97.4" not in page(summarise())  # the paper's oracle, but no record has one
    assert "84 (n = 584)" in page(summarise())
    assert "(n = 584)" not in page(summarise(), published=False)
    assert "Results of the Deep Protection paper" not in page(summarise([record("gs", 1, "denoiser")]), published=False)


def test_results_beside_those_of_the_paper_name_their_number_and_other_attacks() -> None:
    assert "denoiser: 100 [21-100] (n = 3; attacks: gs)" in page(summarise())
    assert "denoiser: 100 [21-100] (n = 1)" in page(summarise())  # clean images
    assert "denoiser: 100 [21-100] (n = 8)" in page(summarise([record(attack, 1, "denoiser") for attack in PAPER]))


def test_the_name_of_clean_images_is_explained_if_it_occurs() -> None:
    explanation = "“none” stands for clean images."
    assert explanation in page(summarise())
    assert explanation not in page(summarise([each for each in RECORDS if "attack" in each]))


def test_tables_and_figures_are_accessible() -> None:
    elements = Elements(page(summarise(by="method", curves=learning_curves(TRACE))))
    assert ("html", {"lang": "en"}) in elements.elements
    ids = {attributes["id"] for _, attributes in elements.elements if attributes.get("id")}
    links = [str(link["href"]) for link in elements.all("a")]
    assert links
    assert {link.removeprefix("#") for link in links} <= ids
    assert {cell.get("scope") for cell in elements.all("th")} == {"col", "row"}
    regions = [region for region in elements.all("div") if region.get("role") == "region"]
    assert len(regions) == len(elements.all("table"))
    assert all(region["tabindex"] == "0" and region["aria-labelledby"] in ids for region in regions)
    captions, alts = (
        [text.strip() for text in elements.texts["figcaption"]],
        [str(image["alt"]) for image in elements.all("img")],
    )
    assert all(
        alt.startswith(caption) and len(alt) > len(caption) + 10 for alt, caption in zip(alts, captions, strict=True)
    )


def test_a_figure_without_a_table_has_its_numbers_as_text() -> None:
    alts = {drawing.name: drawing.alt for drawing in gallery(summarise(), read_image)}
    assert alts["speed"] == "dip plateau: 75 [12-99] %, 2 s an image; denoiser: 100 [21-100] %, 0.5 s an image"
    assert "purified: eagle" in alts["images"]


def test_figures_look_the_same_where_their_font_is_missing() -> None:
    """Text in another font could be cut off, and text in an image cannot be selected anyway."""
    drawings = re.findall(r'src="data:image/svg\+xml;base64,([^"]*)', page(summarise()))
    assert drawings
    assert not any(b"<text" in base64.b64decode(drawing) for drawing in drawings)
