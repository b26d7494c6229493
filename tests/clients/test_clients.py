"""Client libraries from the package index, unchanged but for the address, get what they expect."""

import pytest
from tests.clients.adapters.base import Adapter
from tests.clients.conftest import DOCUMENTS, SCRIPTED, Cells, Servers
from tests.clients.matrix import ADAPTERS, CHECKS

pytestmark = pytest.mark.timeout(900)


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("adapter", ADAPTERS, ids=lambda adapter: adapter.name)
def test_a_client_gets_what_it_expects(adapter: type[Adapter], check: str, cells: Cells) -> None:
    cell = cells[adapter.name, check]
    assert cell["ok"], cell["what"]


@pytest.mark.skipif(SCRIPTED, reason="an order that follows a script means nothing")
def test_the_order_that_clients_get_is_the_right_one(servers: Servers) -> None:
    best = [DOCUMENTS[result["index"]] for result in servers.results[:2]]
    assert best == ["健身女生T恤短袖 速干透气", "女士运动短袖T恤 跑步"]
