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
	"github.com/spf13/cobra"
)

// stdinPath stands for standard input on the command line.
const stdinPath = "-"

// messageFile is a file of one message, or of several.
type messageFile struct {
	path string
	size int64 // 0 for standard input
}

// findMessages lists the files that paths stand for, and what is wrong with the
// others. What a path itself names may be a pipe, or a link to a folder; in
// folders only regular files are messages, since others may have no end.
func findMessages(paths []string) ([]messageFile, error) {
	var files []messageFile
	var failed error
	for _, path := range paths {
		if path == stdinPath {
			files = append(files, messageFile{path: path})
			continue
		}
		info, err := os.Stat(path)
		switch {
		case err != nil:
			failed = errors.Join(failed, err)
		case info.IsDir():
			found, err := messagesIn(path)
			files, failed = append(files, found...), errors.Join(failed, err)
		default:
			files = append(files, messageFile{path, info.Size()})
		}
	}
	return files, failed
}

// messagesIn lists the messages below a folder, and what is wrong with the rest
// of what may be meant as such.
func messagesIn(folder string) ([]messageFile, error) {
	var files []messageFile
	var failed error
	root := strings.TrimRight(folder, "/") + "/" // WalkDir follows no link, but for that
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			failed = errors.Join(failed, err)
			return nil
		case d.IsDir() && name != root && d.Name() == "tmp" && isMaildir(filepath.Dir(name)):
			return filepath.SkipDir
		case d.IsDir() || !isMessageName(name):
			return nil
		}
		info, err := os.Stat(name)
		switch {
		case err != nil:
			failed = errors.Join(failed, err)
		case info.IsDir():
			failed = errors.Join(failed, fmt.Errorf("%s: skipped: a link to a folder", name))
		case !info.Mode().IsRegular():
			failed = errors.Join(failed, fmt.Errorf("%s: skipped: no regular file", name))
		default:
			files = append(files, messageFile{name, info.Size()})
		}
		return nil
	})
	return files, errors.Join(failed, err)
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

// each calls do with every message of the file, none if it is empty. One that
// cannot be read does not keep do from the messages before it.
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
	if _, err := r.Peek(1); errors.Is(err, io.EOF) {
		return nil // an mbox of no message, say
	}
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

// outputError is a failure to print what was found: the message is not to blame,
// and the rest cannot be printed either.
type outputError struct{ error }

// printed marks what went wrong in printing, if anything.
func printed(err error) error {
	if err == nil {
		return nil
	}
	return outputError{err}
}

// eachOf calls do with every message of the files, and tells what went wrong with
// them, err included.
func eachOf(cmd *cobra.Command, files []messageFile, err error, bar *progress, do func(path string, r io.Reader) error) error {
	failed := reportEach(cmd.ErrOrStderr(), err)
	for _, f := range files {
		err := f.each(cmd.InOrStdin(), bar, do)
		var out outputError
		if errors.As(err, &out) {
			return out.error
		}
		if err != nil {
			bar.clear()
			failed = reportEach(cmd.ErrOrStderr(), fmt.Errorf("%s: %w", f.path, err)) || failed
		}
	}
	if failed {
		return errSilent
	}
	return nil
}
