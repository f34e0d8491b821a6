"""CSV of other programs becomes records; a row that is not valid becomes a failed record that names its line."""

from typing import Any

import pytest

from dptools.errors import UsageError
from dptools.evaluation.csv_records import find_header, read_csv
from dptools.evaluation.summary import Summary


def read(text: str) -> list[dict[str, Any]]:
    first, *others = text.splitlines(keepends=True)
    header = find_header(first, "file.csv")
    assert header
    return list(read_csv(header, others, "file.csv: "))


def errors(text: str) -> list[str]:
    return [record["error"]["message"] for record in read(text) if "error" in record]


@pytest.mark.parametrize(
    "text",
    [
        "label,prediction\n243,182\n",
        "Prediction , LABEL\r\n182,243\r\n",
        "label;prediction\n243;182\n",
        "label\tprediction\n243\t182\n",
        '"label","prediction"\n"243","182"\n',
        "label,prediction\n243.0,182.0\n",  # pandas writes integers as floats if a value is missing
        "label,prediction\n\n243,182\n\n",
    ],
)
def test_the_usual_dialects_are_read(text: str) -> None:
    (record,) = read(text)
    assert (record["label"], record["classify"]["top"]) == (243, [{"index": 182}])


def test_each_column_has_a_place_in_the_record() -> None:
    (record,) = read(
        "id,path,label,prediction,top,label_rank,p,attack,method,model,suspicion,fold\n"
        "a,a.png,243,182,182|243,2,0.5,pgd,mine,net,0.9,3\n"
    )
    assert record == {
        "id": "a@pgd",
        "path": "a.png",
        "label": 243,
        "classify": {"top": [{"index": 182, "p": 0.5}, {"index": 243}], "model": "net", "label_rank": 2},
        "attack": {"name": "pgd"},
        "denoise": {"method": "mine"},
        "suspicion": 0.9,
        "fold": "3",
    }


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("1 2 3", [{"index": 1}, {"index": 2}, {"index": 3}]),
        ('"1, 2,3"', [{"index": 1}, {"index": 2}, {"index": 3}]),
        ('"[1, 2, 3]"', [{"index": 1}, {"index": 2}, {"index": 3}]),
        ("1|n02108422", [{"index": 1}, {"name": "n02108422"}]),
        ("bull mastiff|pug", [{"name": "bull mastiff"}, {"name": "pug"}]),
        ("bull mastiff", [{"name": "bull mastiff"}]),
    ],
)
def test_top_lists_classes_that_are_separated_by_bars_or_indices_by_spaces(
    cell: str, expected: list[dict[str, Any]]
) -> None:
    assert [record["classify"]["top"] for record in read(f"label,top5\n243,{cell}\n")] == [expected]


def test_ids_default_to_the_path_and_then_to_the_line() -> None:
    assert [record["id"] for record in read("path,label,prediction\na.png,1,1\n,1,1\n")] == ["a.png", "3"]


def test_empty_cells_and_none_mean_that_there_is_no_attack_method_or_label() -> None:
    records = read("label,prediction,attack,method\n1,1,,\n,1,none,none\n")
    assert all("attack" not in record and "denoise" not in record for record in records)
    assert "label" not in records[1]


def test_rows_that_failed_or_were_skipped_elsewhere_need_no_prediction() -> None:
    failed, skipped = read("label,prediction,skipped,error\n1,,,out of memory\n1,,not attacked,\n")
    assert failed["error"]["message"] == "out of memory"
    assert skipped["skipped"]["message"] == "not attacked"


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("1", "line 2: 1 columns, but the header has 4"),
        ("1,2,3,4,5", "line 2: 5 columns, but the header has 4"),
        ("1,,,", "line 2: no prediction"),
        ("1,1,0,", "line 2: label_rank: expected a whole number from 1, got '0'"),
        ("1,1,,1.5", "line 2: p: expected a number from 0 to 1, got '1.5'"),
        ("1,1,,nan", "got 'nan'"),
        ("cat,3,,", "line 2: label cat and prediction 3: write both as indices, or both as names"),
        ("3,cat,,", "write both as indices, or both as names"),
        ('"1,1,,', "line 2: unexpected end of data"),
        ("caf\udce9,1,,", "line 2: not UTF-8"),
    ],
)
def test_an_invalid_row_fails_alone_and_names_its_line(row: str, message: str) -> None:
    text = f"label,prediction,label_rank,p\n{row}\n"
    assert message in errors(text)[0]
    assert errors(text)[0].startswith("file.csv: line 2: ")
    if not row.startswith('"'):
        assert [record["label"] for record in read(f"{text}5,5,,\n") if "error" not in record] == [5]


def test_lines_are_counted_across_quoted_newlines() -> None:
    assert errors('id,label,prediction\n"two\nlines",1,1\nb,1\n') == [
        "file.csv: line 4: 2 columns, but the header has 3"
    ]


def test_a_prediction_that_contradicts_top_is_an_error() -> None:
    assert errors("label,prediction,top\n1,2,1|2\n") == [
        "file.csv: line 2: prediction 2 is not the first of top, which is 1"
    ]


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("image,truth", "CSV needs a header with the columns label and prediction .* the first line has image, truth"),
        ("243,182", "CSV needs a header .* the first line has 243, 182"),
        ("label", "CSV needs a header .* the first line has label"),
        ("prediction,model", "CSV needs a header .* the first line has prediction, model"),
        ("label,prediction,label", "two columns are named label"),
        ("\udcff\udcfelabel,prediction", "not UTF-8: save it as UTF-8"),
        ("label,prediction,stages", "stages is a key of records: give the column another name"),
    ],
)
def test_a_header_without_the_required_columns_is_a_usage_error(header: str, message: str) -> None:
    with pytest.raises(UsageError, match=f"^file.csv: {message}"):
        find_header(header, "file.csv")


@pytest.mark.parametrize("line", ["", "nonsense", '{"id": "a", "label": 3}', '"path": "x", "label": 1', "[1, 2]"])
def test_other_lines_are_no_header(line: str) -> None:
    assert find_header(line, "file") is None


@pytest.mark.parametrize("column", ["Dataset", "img.size"])
def test_any_other_column_groups_the_rows_by_its_own_name(column: str) -> None:
    summary = Summary(by=column)
    summary.read(read(f"ID,Label,prediction,{column}\na,1,1,x\nb,1,2,y\n"))
    assert [(group.name, group.rate("after_top1").k) for group in summary.all_groups] == [("x", 1), ("y", 0)]


@pytest.mark.parametrize("rows", [3, 20_000])
def test_a_quote_that_is_not_closed_is_reported_with_its_line(rows: int) -> None:
    first, *others = errors('label,prediction\n1,1\n"1,1\n' + rows * "1,1\n")
    assert first.startswith("file.csv: line 3: ")
    assert not others
