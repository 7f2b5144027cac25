package store

import (
	"errors"
	"fmt"
)

// What can be the matter with a store file.
var (
	// ErrLocked: another process has the file open, most likely a daemon.
	ErrLocked = errors.New("in use by another process, probably a second backscatter-milter")
	// ErrDamaged: the file is no database, or one that cannot be read.
	ErrDamaged = errors.New("damaged, or not a store file at all")
	// ErrForeign: the file is a database of something else.
	ErrForeign = errors.New("a database of another program")
	// ErrFuture: a later version of backscatter-milter wrote the file.
	ErrFuture = errors.New("written by a later version of backscatter-milter")
	// ErrMissing: there is no file, and a reader makes none.
	ErrMissing = errors.New("there is no such file yet")
	// ErrReadOnly: the file can be read but not written.
	ErrReadOnly = errors.New("cannot be written; what is learned now will be lost at the next stop")
	// ErrNotFlushed: Close did not wait any longer for a slow disk.
	ErrNotFlushed = errors.New("the disk was too slow to take the last records")
	// ErrClosed: the store has been closed.
	ErrClosed = errors.New("the store is closed")
)

// An Error says which file is concerned; errors.Is finds what the matter is.
type Error struct {
	Path string
	Err  error
}

func (e *Error) Error() string { return fmt.Sprintf("store %s: %v", e.Path, e.Err) }

// Unwrap gives the matter itself.
func (e *Error) Unwrap() error { return e.Err }

// A SetAsideError reports, once a new file has been begun, that the old one
// could not be used.
type SetAsideError struct {
	Path string // the store file
	Kept string // the name that the old file has now
	Err  error  // ErrDamaged, ErrForeign or ErrFuture
}

func (e *SetAsideError) Error() string {
	return fmt.Sprintf("store %s: %v: kept as %s, and a new one begun", e.Path, e.Err, e.Kept)
}

// Unwrap gives the reason.
func (e *SetAsideError) Unwrap() error { return e.Err }
