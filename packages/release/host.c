/* Runs a script on a database with the extension, and prints every row: host DATABASE EXTENSION SCRIPT [COMMAND]
 *
 * With a command the script is run twice, and the command between the two, while the connection stays open.
 */
#include <stdio.h>
#include <stdlib.h>

#include "sqlite3.h"

static int print_row(void *unused, int count, char **values, char **names) {
  (void)unused, (void)names;
  for (int i = 0; i < count; i++) printf(i ? "|%s" : "%s", values[i] ? values[i] : "NULL");
  putchar('\n');
  return 0;
}

static int failed(const char *doing, const char *message) {
  fflush(stdout);
  fprintf(stderr, "host: %s: %s\n", doing, message ? message : "failed");
  return 1;
}

static char *read_file(const char *path) {
  FILE *file = fopen(path, "rb");
  char *text = file ? calloc(1 << 20, 1) : NULL;
  if (text && fread(text, 1, (1 << 20) - 1, file) == 0) text = NULL;
  if (file) fclose(file);
  return text;
}

int main(int count, char **arguments) {
  sqlite3 *db;
  char *message = NULL;
  char *script = count > 3 ? read_file(arguments[3]) : NULL;
  if (!script) return failed("usage", "host DATABASE EXTENSION SCRIPT [COMMAND]");
  if (sqlite3_open(arguments[1], &db)) return failed("opening the database", sqlite3_errmsg(db));
  sqlite3_enable_load_extension(db, 1);
  if (sqlite3_load_extension(db, arguments[2], NULL, &message)) return failed("loading", message);
  if (sqlite3_exec(db, script, print_row, NULL, &message)) return failed("running", message);
  if (count > 4) {
    fflush(stdout);
    printf("command: exit %d\n", system(arguments[4]));
    if (sqlite3_exec(db, script, print_row, NULL, &message)) return failed("running again", message);
  }
  free(script);
  return sqlite3_close(db) ? failed("closing", sqlite3_errmsg(db)) : 0;
}
