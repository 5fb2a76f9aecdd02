"""The vector store of LlamaIndex."""
import pytest
from llama_index.core.schema import NodeRelationship, RelatedNodeInfo, TextNode
from llama_index.core.vector_stores.types import (
    FilterCondition,
    FilterOperator,
    MetadataFilter,
    MetadataFilters,
    VectorStoreQuery,
    VectorStoreQueryMode,
)

from vecrank.llama_index import VecrankVectorStore


def node(x, y):
    source = {NodeRelationship.SOURCE: RelatedNodeInfo(node_id=f"document {x}")}
    metadata = {"x": x, "y": y, "name": f"{x}{y}"}
    return TextNode(id_=f"{x}{y}", text=f"text {x}{y}", metadata=metadata, embedding=[float(x), float(y)], relationships=source)


@pytest.fixture
def store(tmp_path):
    store = VecrankVectorStore(str(tmp_path / "nodes.db"))
    assert store.add([node(x, y) for x in range(1, 10) for y in range(1, 10)])[0] == "11"
    return store


def found(store, vector, top=3, **rest):
    return store.query(VectorStoreQuery(query_embedding=vector, similarity_top_k=top, **rest))


def filters(*terms, condition=FilterCondition.AND):
    made = [term if isinstance(term, MetadataFilters) else MetadataFilter(key=term[0], operator=FilterOperator(term[1]), value=term[2])
            for term in terms]
    return MetadataFilters(filters=made, condition=condition)


def test_nodes_come_back_whole_and_nearest_first(store):
    result = found(store, [1.0, 9.0], 5)
    assert result.ids[0] == "19" and result.similarities[0] == pytest.approx(1, abs=1e-6)
    assert result.similarities == sorted(result.similarities, reverse=True)
    first = result.nodes[0]
    assert (first.node_id, first.text, first.metadata["x"], first.ref_doc_id) == ("19", "text 19", 1, "document 1")


@pytest.mark.parametrize(
    "operator, value, wanted",
    [("==", 3, {3}), ("!=", 3, {1, 2, 4, 5, 6, 7, 8, 9}), (">", 7, {8, 9}), (">=", 7, {7, 8, 9}), ("<", 3, {1, 2}), ("<=", 3, {1, 2, 3}),
     ("in", [2, 4], {2, 4}), ("nin", [2, 4, 6, 8], {1, 3, 5, 7, 9})],
)
def test_filters_keep_the_page_full(store, operator, value, wanted):
    result = found(store, [9.0, 1.0], 81, filters=filters(("x", operator, value)))
    assert {node.metadata["x"] for node in result.nodes} == wanted and len(result.nodes) == 9 * len(wanted)


def test_filters_nest(store):
    either = filters(("x", "==", 1), ("x", "==", 2), condition=FilterCondition.OR)
    assert len(found(store, [1.0, 1.0], 81, filters=filters(either, ("y", "<", 4))).nodes) == 6
    assert len(found(store, [1.0, 1.0], 81, doc_ids=["document 1"]).nodes) == 9
    assert found(store, [1.0, 1.0], 81, node_ids=["11", "99", "no"], filters=filters(("x", "==", 9))).ids == ["99"]


def test_what_is_not_served_is_refused(store):
    with pytest.raises(ValueError, match="^filters: expected an operator of == != > >= < <= in nin, got text_match for x$"):
        found(store, [1.0, 1.0], filters=filters(("x", "text_match", "a")))
    with pytest.raises(ValueError, match="^filters: expected the condition and, or or, got not$"):
        found(store, [1.0, 1.0], filters=filters(("x", "==", 1), condition=FilterCondition.NOT))
    with pytest.raises(ValueError, match="^query: expected the mode default, got "):
        found(store, [1.0, 1.0], mode=VectorStoreQueryMode.HYBRID)


def test_nodes_are_replaced_and_deleted(store):
    store.add([node(1, 1)])
    assert len(store.get_nodes()) == 81
    store.delete("document 1")
    assert len(store.get_nodes()) == 72 and store.get_nodes(["11"]) == []
    store.delete_nodes(["21", "22"])
    store.delete_nodes(filters=filters(("x", "==", 9)))
    store.delete_nodes()
    assert len(store.get_nodes()) == 61
    assert len(store.get_nodes(filters=filters(("x", "==", 2)))) == 7
    store.clear()
    assert found(store, [1.0, 1.0]).ids == []


def test_an_empty_store_finds_nothing():
    assert found(VecrankVectorStore(), [1.0, 1.0]).ids == []
