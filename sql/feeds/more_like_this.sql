-- More like this: the articles nearest to one article, without that article.
SELECT article_id, main_name, retail_price FROM articles
WHERE embedding MATCH (SELECT embedding FROM articles WHERE article_id = 'A00495') AND article_id <> 'A00495'
ORDER BY distance LIMIT 5;
