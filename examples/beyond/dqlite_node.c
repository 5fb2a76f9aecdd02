/* A node of a dqlite cluster whose SQLite has vecrank:

       cc -o dqlite_node dqlite_node.c -ldqlite -lsqlite3 -ldl
       dqlite_node libvecrank.so ID ADDRESS FOLDER

   dqlite opens its databases itself, so the extension is given to SQLite before it starts. */
#include <dlfcn.h>
#include <dqlite.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

static int failed(const char *what, const char *why) {
    fprintf(stderr, "dqlite_node: %s: %s\n", what, why);
    return 1;
}

int main(int count, char **arguments) {
    if (count != 5) return failed("expected", "LIBRARY ID ADDRESS FOLDER");
    void *library = dlopen(arguments[1], RTLD_NOW);
    if (!library) return failed("the library", dlerror());
    void (*load)(void) = (void (*)(void))dlsym(library, "sqlite3_vecrank_init");
    if (!load) return failed("the library", dlerror());

    sigset_t stop;
    sigemptyset(&stop);
    sigaddset(&stop, SIGTERM);
    sigprocmask(SIG_BLOCK, &stop, NULL); /* the threads of the node inherit it */
    signal(SIGPIPE, SIG_IGN);            /* a connection that another node has closed */

    dqlite_node *node;
    if (dqlite_node_create(strtoull(arguments[2], NULL, 10), arguments[3], arguments[4], &node))
        return failed("the node", node ? dqlite_node_errmsg(node) : "out of memory");
    if (sqlite3_auto_extension(load)) return failed("SQLite", "takes no extension");
    /* A snapshot every 64 entries of the log, which keeps 64: a node that missed more gets a snapshot instead of them. */
    if (dqlite_node_set_bind_address(node, arguments[3]) || dqlite_node_set_snapshot_params(node, 64, 64))
        return failed("the node", "its address or its snapshots");
    if (dqlite_node_start(node)) return failed("the node", dqlite_node_errmsg(node));

    int caught;
    sigwait(&stop, &caught);
    dqlite_node_stop(node);
    dqlite_node_destroy(node);
    return 0;
}
