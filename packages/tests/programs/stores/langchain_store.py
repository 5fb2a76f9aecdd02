"""LangChain's own standard tests, and what they leave out."""
import pytest
from langchain_core.embeddings import Embeddings
from langchain_tests.integration_tests import VectorStoreIntegrationTests

from vecrank.langchain import VecrankVectorStore


class TestStandard(VectorStoreIntegrationTests):
    @pytest.fixture(params=["memory", "file"])
    def vectorstore(self, request, tmp_path):
        return VecrankVectorStore(self.get_embeddings(), ":memory:" if request.param == "memory" else str(tmp_path / "documents.db"))


class Plane(Embeddings):
    """Vectors in the plane: "12" is [1, 2]."""

    def embed_query(self, text):
        return [float(digit) for digit in text]

    def embed_documents(self, texts):
        return [self.embed_query(text) for text in texts]


@pytest.fixture
def plane(tmp_path):
    texts = [f"{x}{y}" for x in range(1, 10) for y in range(1, 10)]
    metadatas = [{"x": int(text[0]), "name": text, "odd": int(text[1]) % 2 == 1, 'it\'s "': 1} for text in texts]
    return VecrankVectorStore.from_texts(texts, Plane(), metadatas, ids=texts, database=str(tmp_path / "plane.db"), table='a "b\' c')


def names(documents):
    return [document.page_content for document in documents]


def test_pages_tile(plane):
    whole = names(plane.similarity_search("19", k=81))
    pages = [names(plane.similarity_search("19", k=10, offset=start)) for start in range(0, 90, 10)]
    assert sum(pages, []) == whole and len(set(whole)) == 81
    assert whole[0] == "19"


def test_filters_keep_pages_full(plane):
    found = plane.similarity_search("91", k=9, filter={"x": 1})
    assert sorted(names(found)) == [f"1{y}" for y in range(1, 10)] and names(found)[0] == "11"
    assert len(plane.similarity_search("91", k=50, filter={"x": [1, 2], "odd": True})) == 10
    assert plane.similarity_search("91", filter={"x": None}) == []
    assert names(plane.similarity_search_by_vector([9, 1], k=1, filter={"name": "11"})) == ["11"]


def test_wrong_filters_are_refused(plane):
    with pytest.raises(ValueError, match='^filter: expected a key without quotation marks, got it\'s "$'):
        plane.similarity_search("91", filter={'it\'s "': 1})
    with pytest.raises(TypeError, match="^filter: expected a text, a number or None for x, got dict$"):
        plane.similarity_search("91", filter={"x": {"$gt": 1}})


def test_lists_of_another_length_are_refused(plane):
    with pytest.raises(ValueError, match="^metadatas: expected 2, one per text, got 1$"):
        plane.add_texts(["11", "12"], [{}])
    with pytest.raises(ValueError, match="^ids: expected 2, one per text, got 1$"):
        plane.add_texts(["11", "12"], ids=["a"])


def test_a_table_needs_a_name():
    with pytest.raises(ValueError, match="^table: expected a name, got an empty one$"):
        VecrankVectorStore(Plane(), table="")


def test_scores_are_distances_and_relevance_is_similarity(plane):
    ((_, distance),) = plane.similarity_search_with_score("11", k=1)
    assert distance == pytest.approx(0, abs=1e-6)
    ((document, relevance),) = plane.similarity_search_with_relevance_scores("19", k=1)
    assert document.page_content == "19" and relevance == pytest.approx(1, abs=1e-6)


def test_marginal_relevance_prefers_other_directions(plane):
    assert len(set(names(plane.max_marginal_relevance_search("11", k=5, fetch_k=40, lambda_mult=0.1)))) == 5
    diverse = names(plane.max_marginal_relevance_search("11", k=2, fetch_k=81, lambda_mult=0))
    assert diverse[1] in ("19", "91")


def test_a_store_is_found_again_in_its_file(plane, tmp_path):
    again = VecrankVectorStore(Plane(), str(tmp_path / "plane.db"), 'a "b\' c')
    assert names(again.similarity_search("19", k=3)) == names(plane.similarity_search("19", k=3))
    again.delete()
    assert plane.similarity_search("19") == []


def test_a_failed_add_changes_nothing(plane):
    with pytest.raises(Exception, match="expected 2 dimensions"):
        plane.add_texts(["11", "123"], ids=["new", "wrong"])
    assert plane.get_by_ids(["new"]) == []
