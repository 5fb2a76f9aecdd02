"""A vector store of LangChain: `pip install vecrank[langchain]`.

    from vecrank.langchain import VecrankVectorStore

    store = VecrankVectorStore(embedding, "documents.db")
    store.add_texts(["..."], metadatas=[{"lang": "de"}])
    page = store.similarity_search("...", k=20, filter={"lang": "de"}, offset=40)
"""
import uuid
from collections.abc import Iterable, Sequence
from sqlite3 import Connection
from typing import Any, Callable, Optional, Union

from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings
from langchain_core.vectorstores import VectorStore
from langchain_core.vectorstores.utils import maximal_marginal_relevance

from ._store import Text, TextTable, of_ids, of_metadata, together
from ._vectors import from_vector

Filter = Optional[dict[str, Any]]


class VecrankVectorStore(VectorStore):
    """Documents in an hnsw table of an SQLite file.

    `database` is a path or a connection of sqlite3 (with check_same_thread=False, if the async methods are used). A filter
    names keys of the metadata and their values; a list of values matches any of them. Pages are full while documents match,
    and tile: `offset` goes on where the last page ended.
    """

    def __init__(self, embedding: Embeddings, database: Union[str, Connection] = ":memory:", table: str = "documents"):
        self._embedding = embedding
        self._texts = TextTable(database, table)

    @property
    def embeddings(self) -> Embeddings:
        return self._embedding

    def add_texts(
        self,
        texts: Iterable[str],
        metadatas: Optional[list[dict[str, Any]]] = None,
        *,
        ids: Optional[list[str]] = None,
        **kwargs: Any,
    ) -> list[str]:
        texts = list(texts)
        metadatas = metadatas or [{} for _ in texts]
        # LangChain itself passes None in the place of a missing id.
        ids = [id or str(uuid.uuid4()) for id in ids or [""] * len(texts)]
        for name, given in (("metadatas", len(metadatas)), ("ids", len(ids))):
            if given != len(texts):
                raise ValueError(f"{name}: expected {len(texts)}, one per text, got {given}")
        return self._texts.put(zip(ids, texts, metadatas, self._embedding.embed_documents(texts)))

    def delete(self, ids: Optional[list[str]] = None, **kwargs: Any) -> bool:
        """Deletes the documents with these ids; without ids, all."""
        self._texts.delete(("1", []) if ids is None else of_ids(ids))
        return True

    def get_by_ids(self, ids: Sequence[str], /) -> list[Document]:
        return [_document(text) for text in self._texts.get(of_ids(ids))]

    def similarity_search(
        self, query: str, k: int = 4, filter: Filter = None, offset: int = 0, **kwargs: Any
    ) -> list[Document]:
        return [document for document, _ in self.similarity_search_with_score(query, k, filter, offset)]

    def similarity_search_with_score(
        self, query: str, k: int = 4, filter: Filter = None, offset: int = 0, **kwargs: Any
    ) -> list[tuple[Document, float]]:
        """Documents with their cosine distances, the nearest first."""
        found = self._texts.search(self._embedding.embed_query(query), k, _term(filter), offset)
        return [(_document(text), text.distance) for text in found]

    def similarity_search_by_vector(
        self, embedding: list[float], k: int = 4, filter: Filter = None, offset: int = 0, **kwargs: Any
    ) -> list[Document]:
        return [_document(text) for text in self._texts.search(embedding, k, _term(filter), offset)]

    def max_marginal_relevance_search(
        self, query: str, k: int = 4, fetch_k: int = 20, lambda_mult: float = 0.5, filter: Filter = None, **kwargs: Any
    ) -> list[Document]:
        embedding = self._embedding.embed_query(query)
        return self.max_marginal_relevance_search_by_vector(embedding, k, fetch_k, lambda_mult, filter=filter)

    def max_marginal_relevance_search_by_vector(
        self,
        embedding: list[float],
        k: int = 4,
        fetch_k: int = 20,
        lambda_mult: float = 0.5,
        filter: Filter = None,
        **kwargs: Any,
    ) -> list[Document]:
        import numpy

        found = self._texts.search(embedding, fetch_k, _term(filter))
        vectors = [from_vector(text.embedding).tolist() for text in found]
        chosen = maximal_marginal_relevance(numpy.array(embedding), vectors, lambda_mult, k) if found else []
        return [_document(found[place]) for place in chosen]

    @classmethod
    def from_texts(
        cls,
        texts: list[str],
        embedding: Embeddings,
        metadatas: Optional[list[dict[str, Any]]] = None,
        *,
        ids: Optional[list[str]] = None,
        database: Union[str, Connection] = ":memory:",
        table: str = "documents",
        **kwargs: Any,
    ) -> "VecrankVectorStore":
        store = cls(embedding, database, table)
        store.add_texts(texts, metadatas, ids=ids)
        return store

    def _select_relevance_score_fn(self) -> Callable[[float], float]:
        return self._cosine_relevance_score_fn


def _term(filter: Filter) -> Any:
    terms = ((key, "IN" if isinstance(value, (list, tuple)) else "IS", value) for key, value in (filter or {}).items())
    return together([of_metadata(*term) for term in terms])


def _document(text: Text) -> Document:
    return Document(id=text.id, page_content=text.text, metadata=text.metadata)
