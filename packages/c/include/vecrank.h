/* vecrank: an SQLite extension that ranks rows by vector distance.
 *
 * Link libvecrank.a, and call vecrank_auto_extension() once, before the first connection is opened.
 */
#ifndef VECRANK_H
#define VECRANK_H

#include <sqlite3.h>

#ifdef __cplusplus
extern "C" {
#endif

#define VECRANK_VERSION "@VERSION@"

/* The entry point, for one connection. SQLite calls it; a program passes its address to sqlite3_auto_extension(). */
int sqlite3_vecrank_init(sqlite3 *db, char **message, const struct sqlite3_api_routines *api);

/* Gives every connection that the process opens from now on the extension. Returns an SQLite result code. */
static inline int vecrank_auto_extension(void) {
  return sqlite3_auto_extension((void (*)(void))sqlite3_vecrank_init);
}

/* A vector is bound as it is on little-endian machines, with sqlite3_bind_blob(), and read with sqlite3_column_blob():
 * 32-bit floats, without anything before or between them. */

#ifdef __cplusplus
}
#endif

#endif
