CREATE TABLE price_changes(article_id TEXT, was REAL, became REAL);
CREATE TRIGGER note_price AFTER UPDATE OF retail_price ON articles_rows BEGIN
  INSERT INTO price_changes VALUES (old.article_id, old.retail_price, new.retail_price);
END;
UPDATE articles SET retail_price = retail_price - 9 WHERE category = 'Tents' AND brand = 'Tarnow' AND in_stock > 30;

SELECT * FROM price_changes ORDER BY article_id;
