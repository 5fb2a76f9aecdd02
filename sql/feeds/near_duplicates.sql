-- Near-duplicates: pairs of articles whose vectors nearly agree, each pair once, up to five per article. All terms of
-- WHERE go to the search (its plan shows them), so k counts the rows that they leave.
SELECT a.article_id, b.article_id, round(b.distance, 4) AS apart
FROM articles AS a, articles(a.embedding, 5) AS b
WHERE a.category = 'Tents' AND b.article_id > a.article_id AND b.distance < 0.05
ORDER BY b.distance, a.article_id LIMIT 5;
