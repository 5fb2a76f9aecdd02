-- All articles within a distance, however many: a threshold instead of a LIMIT. The search stops at the threshold.
-- :taste = (SELECT embedding FROM articles WHERE article_id = 'A00018')
SELECT article_id, main_name, round(distance, 3) FROM articles
WHERE embedding MATCH :taste AND distance BETWEEN 0.05 AND 0.3 ORDER BY distance;
