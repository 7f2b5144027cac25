package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime/debug"
	"syscall"
	"time"

	"go.etcd.io/bbolt"
	boltErrors "go.etcd.io/bbolt/errors"
)

const (
	lockTimeout = time.Second
	stampBucket = "backscatter-milter" // tells our files from others'
	stampKey    = "schema"
	schema      = 1 // of this version, big-endian in the stamp
)

// Open opens the store at path, mode 0600, and makes it where there is none.
//
// A file that cannot be used (ErrDamaged, ErrForeign, ErrFuture) is renamed to
// PATH.broken-YYYYMMDD-HHMMSS, a new one is begun, and Report is told. A file
// that can be read but not written is opened all the same, Report hears
// ErrReadOnly, and every commit fails and is counted. Anything else is an
// error, an *Error, and there is no store: above all ErrLocked, after a second.
func Open(path string, o Options) (*Store, error) {
	s := &Store{
		path: path, options: o, queue: newBatch(), extra: newBatch(),
		wake: make(chan struct{}, 1), closing: make(chan struct{}), done: make(chan struct{}),
	}
	s.write = s.writeFile
	if err := s.open(); err != nil {
		return nil, &Error{path, err}
	}
	go s.run()
	return s, nil
}

func (s *Store) open() error {
	if s.options.ReadOnly {
		return s.try(true)
	}
	err := s.try(false)
	switch {
	case errors.Is(err, ErrDamaged) || errors.Is(err, ErrForeign) || errors.Is(err, ErrFuture):
		return s.setAside(err)
	case errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS):
		if s.try(true) != nil {
			return err
		}
		s.report(&Error{s.path, fmt.Errorf("%w: %w", ErrReadOnly, err)})
		return nil
	}
	return err
}

// setAside keeps the unusable file under another name and begins a new one.
func (s *Store) setAside(reason error) error {
	name := s.path + ".broken-" + s.options.Now().UTC().Format("20060102-150405")
	kept := name
	for n := 2; exists(kept); n++ {
		kept = fmt.Sprintf("%s-%d", name, n)
	}
	if err := os.Rename(s.path, kept); err != nil {
		return fmt.Errorf("%w, and cannot be set aside: %w", reason, err)
	}
	if err := s.try(false); err != nil {
		return fmt.Errorf("%w: kept as %s, but no new one could be begun: %w", reason, kept, err)
	}
	s.report(&SetAsideError{Path: s.path, Kept: kept, Err: reason})
	return nil
}

func exists(name string) bool {
	_, err := os.Lstat(name)
	return err == nil
}

// try opens the file and finds out whether it is sound and ours.
func (s *Store) try(readOnly bool) error {
	info, err := os.Stat(s.path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && readOnly:
		return ErrMissing
	case err == nil && !info.Mode().IsRegular():
		return errors.New("not a regular file")
	}
	var db *bbolt.DB
	err = guarded(func() (err error) {
		db, err = bbolt.Open(s.path, 0o600, &bbolt.Options{Timeout: lockTimeout, ReadOnly: readOnly})
		return openError(err, info)
	})
	if err != nil {
		if info == nil && !errors.Is(err, ErrLocked) {
			os.Remove(s.path) // begun just now, and not usable
		}
		return err
	}
	if err := guarded(func() error { return inspect(db, readOnly) }); err != nil {
		return errors.Join(err, guarded(db.Close))
	}
	s.db = db
	return nil
}

// openError tells what bbolt's failure means. A file that has content and is
// refused for anything but the system's reasons is no database.
func openError(err error, before fs.FileInfo) error {
	var number syscall.Errno
	switch {
	case err == nil:
		return nil
	case errors.Is(err, boltErrors.ErrTimeout):
		return ErrLocked
	case errors.As(err, &number), before == nil || before.Size() == 0:
		return err
	}
	return fmt.Errorf("%w (%w)", ErrDamaged, err)
}

// inspect reads the file's stamp and all small buckets once, and writes the
// stamp anew: what a damaged file does to its reader or writer, it does here.
// A full disk is no damage.
func inspect(db *bbolt.DB, readOnly bool) error {
	if err := db.View(readAll); err != nil {
		return err
	}
	if readOnly {
		return nil
	}
	err := db.Update(func(tx *bbolt.Tx) error {
		b, err := tx.CreateBucketIfNotExists([]byte(stampBucket))
		if err != nil {
			return err
		}
		return b.Put([]byte(stampKey), binary.BigEndian.AppendUint32(nil, schema))
	})
	if errors.Is(err, syscall.ENOSPC) {
		return nil // the file is sound: the writer tries again, and counts
	}
	return err
}

// inspectLimit is how many records of the file Open looks at.
const inspectLimit = 100_000

func readAll(tx *bbolt.Tx) error {
	if err := wholeFile(tx); err != nil {
		return err
	}
	if err := readStamp(tx); err != nil {
		return err
	}
	left := inspectLimit
	return tx.ForEach(func(_ []byte, b *bbolt.Bucket) error {
		c := b.Cursor()
		for k, v := c.First(); k != nil && left > 0; k, v = c.Next() {
			left--
			for _, octet := range v {
				_ = octet // reading is what may fault
			}
		}
		return nil
	})
}

// wholeFile refuses a file that has lost its end.
func wholeFile(tx *bbolt.Tx) error {
	info, err := os.Stat(tx.DB().Path())
	if err != nil {
		return err
	}
	if info.Size() < tx.Size() {
		return fmt.Errorf("%w (%d octets of %d)", ErrDamaged, info.Size(), tx.Size())
	}
	return nil
}

// readStamp tells whether the file is ours. One without any bucket is: the
// daemon that began it did not get further.
func readStamp(tx *bbolt.Tx) error {
	b := tx.Bucket([]byte(stampBucket))
	if b == nil {
		if first, _ := tx.Cursor().First(); first != nil {
			return ErrForeign
		}
		return nil
	}
	stamp := b.Get([]byte(stampKey))
	switch {
	case len(stamp) != 4:
		return fmt.Errorf("%w (stamp %q)", ErrDamaged, stamp)
	case binary.BigEndian.Uint32(stamp) > schema:
		return fmt.Errorf("%w (schema %d, this one knows %d)", ErrFuture, binary.BigEndian.Uint32(stamp), schema)
	}
	return nil
}

// guarded runs fn so that a damaged file cannot end the process: bbolt panics
// over impossible pages, and a mapped file that has become shorter faults.
func guarded(fn func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w (%v)", ErrDamaged, p)
		}
	}()
	return fn()
}
