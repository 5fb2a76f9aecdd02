-- New since the last visit, nearest first, and the next page by keyset: it begins after the last row that was shown, so that
-- rows added in between neither repeat nor hide another. An application passes that row's distance and rowid as values; here a
-- sub-select reads them.
-- :taste = (SELECT vec_avg(embedding) FROM articles WHERE article_id IN ('A00018', 'A00982', 'A01153'))
-- :since = '2025-06-01'
SELECT article_id, main_name, listed_on FROM articles
WHERE embedding MATCH :taste AND listed_on >= :since
ORDER BY distance, rowid LIMIT 3;

SELECT article_id, main_name, listed_on FROM articles
WHERE embedding MATCH :taste AND listed_on >= :since AND (distance, rowid) > (
  SELECT distance, rowid FROM articles(:taste) WHERE listed_on >= :since ORDER BY distance, rowid LIMIT 1 OFFSET 2
)
ORDER BY distance, rowid LIMIT 3;
