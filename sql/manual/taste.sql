SELECT article_id, main_name FROM articles((
  SELECT vec_avg(embedding) FROM articles WHERE article_id IN ('A00018', 'A00982', 'A01153')
)) ORDER BY distance LIMIT 5 OFFSET 5;
