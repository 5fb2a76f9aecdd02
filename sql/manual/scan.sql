SELECT count(*), min(retail_price), max(rating) FROM articles;

SELECT main_name, brand, distance FROM articles WHERE article_id = 'A00018';

SELECT category, count(*) FROM articles GROUP BY category ORDER BY count(*) DESC, category LIMIT 3;

SELECT main_name, listed_on FROM articles_rows WHERE article_id = 'A03000'; -- no extension needed for this one
