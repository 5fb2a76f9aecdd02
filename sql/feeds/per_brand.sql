-- At most two articles per brand, counted along the whole feed: the next page (OFFSET 6, or by the last row's distance and
-- rowid) has no third article of any brand.
-- :taste = (SELECT vec_avg(embedding) FROM articles WHERE article_id IN ('A00018', 'A00982', 'A01153'))
SELECT article_id, main_name, brand FROM articles
WHERE embedding MATCH :taste AND group_by = 'brand' AND group_limit = 2
ORDER BY distance LIMIT 6;

SELECT article_id, main_name, brand FROM articles
WHERE embedding MATCH :taste AND group_by = 'brand' AND group_limit = 2
ORDER BY distance LIMIT 6 OFFSET 6;
