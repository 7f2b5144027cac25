package batv

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

const (
	keyFileMode fs.FileMode = 0o600
	maxKeyFile              = 1 << 20 // octets
	secretSize              = 32      // octets of a secret made here
)

// LoadKeys reads the key file at path, as ParseKeys does. It refuses a file
// that anybody but its owner could read or change.
func LoadKeys(path string) (*Keyring, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: not a regular file", path)
	}
	if mode := info.Mode().Perm(); mode&^keyFileMode != 0 {
		return nil, fmt.Errorf("%s: mode %04o: must be 0600, as the file holds secrets: chmod 600 %s", path, mode, path)
	}
	data, err := io.ReadAll(io.LimitReader(file, maxKeyFile+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxKeyFile {
		return nil, fmt.Errorf("%s: over %d octets: no key file", path, maxKeyFile)
	}
	return ParseKeys(path, data)
}

// CreateKeyFile writes a key file with one new key: number 0, signing, for all
// domains, 32 random octets. The file has mode 0600 and appears whole or not at
// all; when the machine stops in the middle, a hidden temporary file may stay
// behind. A file that is there already is left alone; the error then is
// fs.ErrExist. The file system must have hard links.
func CreateKeyFile(path string, now time.Time) (*Keyring, error) {
	key := Key{Secret: newSecret(), Signing: true, Created: now.UTC().Truncate(time.Second)}
	if err := writeNew(path, formatKeys([]Key{key})); err != nil {
		return nil, err
	}
	return NewKeyring(key)
}

// writeNew puts data into a new file at path. The data is on the disk under
// another name before it gets its own; unlike a rename, a link never takes the
// place of a file that is there.
func writeNew(path string, data []byte) (err error) {
	dir := filepath.Dir(path)
	temporary, err := os.CreateTemp(dir, "."+filepath.Base(path)+".*") // mode 0600
	if err != nil {
		return err
	}
	defer func() {
		err = errors.Join(err, os.Remove(temporary.Name()))
	}()
	_, err = temporary.Write(data)
	if err == nil {
		err = temporary.Sync()
	}
	if err = errors.Join(err, temporary.Close()); err != nil {
		return err
	}
	err = os.Link(temporary.Name(), path)
	if errors.Is(err, fs.ErrExist) {
		return &fs.PathError{Op: "create", Path: path, Err: fs.ErrExist}
	}
	if err != nil {
		return err
	}
	return syncDir(dir)
}

// syncDir brings a folder's new names to the disk.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
