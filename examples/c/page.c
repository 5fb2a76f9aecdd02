/* The first page of a feed for someone who likes three articles:
 *
 *   cc page.c -I OUT/include OUT/lib/libvecrank.a -lsqlite3 -lm -lpthread -ldl -o page && ./page feed.db
 */
#include <stdio.h>
#include <vecrank.h>

#define LIKES "SELECT embedding FROM articles WHERE article_id IN ('A00018', 'A00982', 'A01153')"
#define PAGE "SELECT article_id, main_name FROM articles WHERE embedding MATCH ? ORDER BY distance LIMIT 8 OFFSET 0"

int main(int count, char **arguments) {
  sqlite3 *db = NULL;
  sqlite3_stmt *likes = NULL, *page = NULL;
  float taste[256] = {0};
  int status = 1;

  if (count != 2) {
    fprintf(stderr, "usage: page FEED.DB\n");
    return 2;
  }
  if (vecrank_auto_extension() != SQLITE_OK) goto done;
  if (sqlite3_open_v2(arguments[1], &db, SQLITE_OPEN_READONLY, NULL) != SQLITE_OK) goto done;
  if (sqlite3_prepare_v2(db, LIKES, -1, &likes, NULL) != SQLITE_OK) goto done;
  while (sqlite3_step(likes) == SQLITE_ROW) {
    const float *numbers = sqlite3_column_blob(likes, 0);
    for (int i = 0; i < 256; i++) taste[i] += numbers[i] / 3;
  }

  if (sqlite3_prepare_v2(db, PAGE, -1, &page, NULL) != SQLITE_OK) goto done;
  sqlite3_bind_blob(page, 1, taste, sizeof taste, SQLITE_STATIC);
  while ((status = sqlite3_step(page)) == SQLITE_ROW) {
    printf("%s %s\n", sqlite3_column_text(page, 0), sqlite3_column_text(page, 1));
  }
  status = status == SQLITE_DONE ? 0 : 1;

done:
  if (status) fprintf(stderr, "%s\n", db ? sqlite3_errmsg(db) : "vecrank: no memory");
  sqlite3_finalize(likes);
  sqlite3_finalize(page);
  sqlite3_close(db);
  return status;
}
