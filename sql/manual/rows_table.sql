SELECT article_id, main_name, retail_price FROM articles_rows WHERE category = 'Tents' ORDER BY retail_price, article_id LIMIT 2;
