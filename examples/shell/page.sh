#!/bin/sh
# The first page of a feed for someone who likes three articles: page.sh LIBRARY FEED.DB
sqlite3 -readonly -separator ' ' "$2" ".load '$1'" "
  SELECT article_id, main_name FROM articles
  WHERE embedding MATCH (
    SELECT vec_avg(embedding) FROM articles WHERE article_id IN ('A00018', 'A00982', 'A01153')
  )
  ORDER BY distance LIMIT 8 OFFSET 0"
