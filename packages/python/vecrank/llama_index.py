"""A vector store of LlamaIndex: `pip install vecrank[llama-index]`.

    from vecrank.llama_index import VecrankVectorStore

    context = StorageContext.from_defaults(vector_store=VecrankVectorStore("documents.db"))
    index = VectorStoreIndex.from_documents(documents, storage_context=context)
"""
from sqlite3 import Connection
from typing import Any, Optional, Union

from llama_index.core.bridge.pydantic import PrivateAttr
from llama_index.core.schema import BaseNode
from llama_index.core.vector_stores.types import (
    BasePydanticVectorStore,
    FilterCondition,
    FilterOperator,
    MetadataFilters,
    VectorStoreQuery,
    VectorStoreQueryMode,
    VectorStoreQueryResult,
)
from llama_index.core.vector_stores.utils import metadata_dict_to_node, node_to_metadata_dict

from ._store import TextTable, of_ids, of_metadata, together

OPERATORS = {
    FilterOperator.EQ: "IS",
    FilterOperator.NE: "IS NOT",
    FilterOperator.GT: ">",
    FilterOperator.GTE: ">=",
    FilterOperator.LT: "<",
    FilterOperator.LTE: "<=",
    FilterOperator.IN: "IN",
    FilterOperator.NIN: "NOT IN",
}


class VecrankVectorStore(BasePydanticVectorStore):
    """Nodes in an hnsw table of an SQLite file. `database` is a path or a connection of sqlite3."""

    stores_text: bool = True
    flat_metadata: bool = True
    _texts: TextTable = PrivateAttr()

    def __init__(self, database: Union[str, Connection] = ":memory:", table: str = "documents", **kwargs: Any):
        super().__init__(**kwargs)
        self._texts = TextTable(database, table)

    @property
    def client(self) -> Connection:
        return self._texts.connection

    def add(self, nodes: list[BaseNode], **kwargs: Any) -> list[str]:
        return self._texts.put(
            (node.node_id, node.get_content(), node_to_metadata_dict(node, flat_metadata=True), node.get_embedding())
            for node in nodes
        )

    def delete(self, ref_doc_id: str, **delete_kwargs: Any) -> None:
        """Deletes the nodes of a document."""
        self._texts.delete(of_metadata("ref_doc_id", "IS", ref_doc_id))

    def delete_nodes(
        self, node_ids: Optional[list[str]] = None, filters: Optional[MetadataFilters] = None, **kwargs: Any
    ) -> None:
        """Deletes the nodes that match both; without both, none."""
        if node_ids is not None or filters is not None:
            self._texts.delete(_term(node_ids, filters))

    def clear(self) -> None:
        self._texts.delete(("1", []))

    def get_nodes(
        self, node_ids: Optional[list[str]] = None, filters: Optional[MetadataFilters] = None
    ) -> list[BaseNode]:
        return [metadata_dict_to_node(text.metadata) for text in self._texts.get(_term(node_ids, filters))]

    def query(self, query: VectorStoreQuery, **kwargs: Any) -> VectorStoreQueryResult:
        """The nearest nodes, with 1 - cosine distance as similarity."""
        if query.mode != VectorStoreQueryMode.DEFAULT:
            raise ValueError(f"query: expected the mode {VectorStoreQueryMode.DEFAULT.value}, got {query.mode}")
        term = _term(query.node_ids, query.filters)
        if query.doc_ids is not None:
            term = together([term, of_metadata("ref_doc_id", "IN", query.doc_ids)])
        found = self._texts.search(query.query_embedding, query.similarity_top_k, term)
        return VectorStoreQueryResult(
            nodes=[metadata_dict_to_node(text.metadata) for text in found],
            similarities=[1 - text.distance for text in found],
            ids=[text.id for text in found],
        )


def _term(node_ids: Optional[list[str]], filters: Optional[MetadataFilters]) -> Any:
    terms = [] if node_ids is None else [of_ids(node_ids)]
    if filters is not None:
        terms.append(_filters(filters))
    return together(terms)


def _filters(filters: MetadataFilters) -> Any:
    if filters.condition not in (FilterCondition.AND, FilterCondition.OR, None):
        raise ValueError(f"filters: expected the condition and, or or, got {filters.condition.value}")
    terms = []
    for filter in filters.filters:
        if isinstance(filter, MetadataFilters):
            terms.append(_filters(filter))
        elif filter.operator in OPERATORS:
            terms.append(of_metadata(filter.key, OPERATORS[filter.operator], filter.value))
        else:
            known = " ".join(operator.value for operator in OPERATORS)
            raise ValueError(f"filters: expected an operator of {known}, got {filter.operator.value} for {filter.key}")
    return together(terms, "OR" if filters.condition == FilterCondition.OR else "AND")
