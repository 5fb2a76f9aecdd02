package vecrank

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync"
)

// Path returns the path of the extension, which the first call of a process writes into a folder that only this user
// may read or write: `vecrank` in os.UserCacheDir, or a new temporary folder where there is none.
func Path() (string, error) {
	written := write()
	return written.path, written.err
}

type file struct {
	path string
	err  error
}

var write = sync.OnceValue(func() file {
	if len(library) == 0 {
		return file{err: fmt.Errorf("vecrank has no library for %s/%s: build the package on that platform", runtime.GOOS, runtime.GOARCH)}
	}
	if folder, err := os.UserCacheDir(); err == nil {
		if path, err := writeInto(filepath.Join(folder, "vecrank")); err == nil {
			return file{path: path}
		}
	}
	folder, err := os.MkdirTemp("", "vecrank-")
	if err != nil {
		return file{err: fmt.Errorf("vecrank: no folder for the library: %w", err)}
	}
	path, err := writeInto(folder)
	if err != nil {
		err = fmt.Errorf("vecrank: writing the library: %w", err)
	}
	return file{path, err}
})

// The name of the file tells its content, so that versions don't meet, and a file is whole before it has its name.
func writeInto(folder string) (string, error) {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return "", err
	}
	found, err := os.Lstat(folder)
	if err != nil {
		return "", err
	}
	if runtime.GOOS != "windows" && (!found.IsDir() || found.Mode().Perm()&0o077 != 0) {
		return "", errors.New(folder + " is open to other users")
	}
	path := filepath.Join(folder, fmt.Sprintf("vecrank-%x%s", sha256.Sum256(library), suffix))
	if held, err := os.ReadFile(path); err == nil && bytes.Equal(held, library) {
		return path, nil
	}
	part, err := os.CreateTemp(folder, "part-")
	if err != nil {
		return "", err
	}
	defer os.Remove(part.Name())
	_, err = part.Write(library)
	if err = errors.Join(err, part.Close()); err != nil {
		return "", err
	}
	return path, os.Rename(part.Name(), path)
}
