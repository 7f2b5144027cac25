package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/emersion/go-mbox"
)

// stdinPath stands for standard input on the command line.
const stdinPath = "-"

// messageFile is a file of one message, or of several.
type messageFile struct {
	path string
	size int64 // 0 for standard input
}

// findMessages lists the files that paths stand for, and what is wrong with the
// others.
func findMessages(paths []string) ([]messageFile, error) {
	var files []messageFile
	var failed error
	for _, path := range paths {
		if path == stdinPath {
			files = append(files, messageFile{path: path})
			continue
		}
		err := filepath.WalkDir(path, func(name string, d fs.DirEntry, err error) error {
			switch {
			case err != nil:
				failed = errors.Join(failed, err)
				return nil
			case d.IsDir() && name != path && d.Name() == "tmp" && isMaildir(filepath.Dir(name)):
				return filepath.SkipDir
			case d.IsDir() || name != path && !isMessageName(name):
				return nil
			}
			info, err := os.Stat(name)
			if err != nil {
				failed = errors.Join(failed, err)
				return nil
			}
			if info.IsDir() {
				return nil // a link to a directory is not followed
			}
			files = append(files, messageFile{name, info.Size()})
			return nil
		})
		failed = errors.Join(failed, err)
	}
	return files, failed
}

// isMaildir reports whether dir is a maildir: messages are in its folders cur
// and new, and what else lies in it is other software's.
func isMaildir(dir string) bool {
	return !slices.ContainsFunc([]string{"cur", "new"}, func(folder string) bool {
		info, err := os.Stat(filepath.Join(dir, folder))
		return err != nil || !info.IsDir()
	})
}

// isMessageName reports whether a file found in a directory is taken for mail.
func isMessageName(name string) bool {
	return !strings.HasPrefix(filepath.Base(name), ".") && !isMaildir(filepath.Dir(name))
}

// each calls do with every message of the file. One that cannot be read does not
// keep do from the messages before it.
func (f messageFile) each(stdin io.Reader, bar *progress, do func(path string, r io.Reader) error) error {
	in := stdin
	if f.path != stdinPath {
		file, err := os.Open(f.path)
		if err != nil {
			return unwrapPath(err)
		}
		defer file.Close()
		in = file
	}
	r := bufio.NewReaderSize(bar.count(in), 64<<10)
	if !f.isMbox(r) {
		return unwrapPath(do(f.path, r))
	}
	box := mbox.NewReader(r)
	for n := 1; ; n++ {
		m, err := box.NextMessage()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("message %d: %w", n, unwrapPath(err))
		}
		if err := do(fmt.Sprintf("%s#%d", f.path, n), m); err != nil {
			return fmt.Errorf("message %d: %w", n, unwrapPath(err))
		}
	}
}

// isMbox reports whether what r holds begins with a postmark. Files named as
// single messages keep theirs.
func (f messageFile) isMbox(r *bufio.Reader) bool {
	if ext := strings.ToLower(filepath.Ext(f.path)); ext == ".eml" || ext == ".msg" {
		return false
	}
	head, err := r.Peek(5)
	return err == nil && string(head) == "From "
}
