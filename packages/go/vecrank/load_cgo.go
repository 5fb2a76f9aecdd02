//go:build cgo

package vecrank

import "github.com/mattn/go-sqlite3"

func loadFile(connection *sqlite3.SQLiteConn, path string) error {
	return connection.LoadExtension(path, "sqlite3_vecrank_init")
}
