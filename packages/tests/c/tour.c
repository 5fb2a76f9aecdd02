/* The tour of tour.py: prints it as JSON. */
#include <stdio.h>
#include <stdlib.h>

#include "vecrank.h"

#define DIMS 256
#define FILTER "AND category IN ('Hiking boots', 'Backpacks') AND retail_price < 130 AND in_stock > 0"

static sqlite3 *db;

static void fail(const char *what) {
  fprintf(stderr, "%s: %s\n", what, sqlite3_errmsg(db));
  exit(1);
}

/* Runs a statement on a taste of so many floats, and prints the first column as a JSON list or its first value. */
static void print(const char *key, const char *sql, const float *taste, int is_list) {
  sqlite3_stmt *statement;
  const char *comma = "";
  int status;
  if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) != SQLITE_OK) fail(sql);
  if (taste) sqlite3_bind_blob(statement, 1, taste, DIMS * sizeof *taste, SQLITE_STATIC);
  printf("\"%s\": %s", key, is_list ? "[" : "");
  while ((status = sqlite3_step(statement)) == SQLITE_ROW) {
    int is_text = sqlite3_column_type(statement, 0) == SQLITE_TEXT;
    const char *quote = is_text ? "\"" : "";
    printf("%s%s%s%s", comma, quote, (const char *)sqlite3_column_text(statement, 0), quote);
    comma = ", ";
    if (!is_list) {
      status = SQLITE_DONE;
      break;
    }
  }
  if (status != SQLITE_DONE) fail(sql);
  printf("%s, ", is_list ? "]" : "");
  sqlite3_finalize(statement);
}

static void print_page(const char *key, const char *filter, int start, const float *taste, int is_list) {
  char *sql = sqlite3_mprintf(
      "SELECT article_id FROM articles WHERE embedding MATCH ? %s ORDER BY distance LIMIT 8 OFFSET %d", filter, start);
  print(key, sql, taste, is_list);
  sqlite3_free(sql);
}

static void write_row(const char *sql, const float *taste) {
  sqlite3_stmt *statement;
  if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) != SQLITE_OK) fail(sql);
  if (taste) sqlite3_bind_blob(statement, 1, taste, DIMS * sizeof *taste, SQLITE_STATIC);
  if (sqlite3_step(statement) != SQLITE_DONE) fail(sql);
  sqlite3_finalize(statement);
}

static void read_taste(float *taste) {
  sqlite3_stmt *likes;
  const char *sql = "SELECT embedding FROM articles WHERE article_id IN ('A00018', 'A00982', 'A01153')";
  if (sqlite3_prepare_v2(db, sql, -1, &likes, NULL) != SQLITE_OK) fail(sql);
  while (sqlite3_step(likes) == SQLITE_ROW) {
    const float *numbers = sqlite3_column_blob(likes, 0);
    for (int i = 0; i < DIMS; i++) taste[i] += numbers[i] / 3;
  }
  sqlite3_finalize(likes);
}

static void print_error(const float *taste) {
  sqlite3_stmt *statement;
  const char *sql = "SELECT article_id FROM articles WHERE embedding MATCH ? ORDER BY distance LIMIT 8";
  if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) != SQLITE_OK) fail(sql);
  sqlite3_bind_blob(statement, 1, taste, 3 * sizeof *taste, SQLITE_STATIC);
  if (sqlite3_step(statement) != SQLITE_ERROR) fail("three floats are taken");
  printf("\"error\": \"%s\"}\n", sqlite3_errmsg(db));
  sqlite3_finalize(statement);
}

int main(int count, char **arguments) {
  float taste[DIMS] = {0};
  if (count != 2 || vecrank_auto_extension() != SQLITE_OK) return 2;
  if (sqlite3_open(arguments[1], &db) != SQLITE_OK) fail("open");
  read_taste(taste);
  printf("{");
  print("version", "SELECT vecrank_version()", NULL, 0);
  print_page("page1", "", 0, taste, 1);
  print_page("page2", "", 8, taste, 1);
  print_page("filtered", FILTER, 0, taste, 1);
  write_row("INSERT INTO articles(article_id, main_name, embedding) VALUES ('B00001', 'A new tent', ?)", taste);
  print_page("inserted", "", 0, taste, 0);
  write_row("UPDATE articles SET in_stock = 7 WHERE article_id = 'B00001'", NULL);
  print("updated", "SELECT in_stock FROM articles WHERE article_id = 'B00001'", NULL, 0);
  write_row("DELETE FROM articles WHERE article_id = 'B00001'", NULL);
  print_page("deleted", "", 0, taste, 0);
  print_error(taste);
  return sqlite3_close(db);
}
