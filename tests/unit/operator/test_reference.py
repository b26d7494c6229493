"""The page about RerankerDeployments has every field, rule and reason."""

import pytest

from reranker_operator.api.reference import PAGE, all_reasons, with_tables


def test_tables_are_those_of_the_crd():
    page = PAGE.read_text(encoding="utf-8")
    assert page == with_tables(page), "run: python -m reranker_operator.api.reference"


def test_every_reason_is_explained_beside_the_list_of_all():
    prose, _, rest = PAGE.read_text(encoding="utf-8").partition("<!-- generated: reasons -->")
    prose += rest.partition("<!-- end -->")[2]
    assert [reason for reason in all_reasons() if f"`{reason}`" not in prose] == []


def test_page_without_markers_is_refused():
    with pytest.raises(ValueError, match="generated: spec"):
        with_tables("# RerankerDeployment\n")
